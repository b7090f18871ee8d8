"""Pictures of every page in every state, drawn without a screen from made-up data: ``python -m gui.demo.pictures FOLDER``."""
