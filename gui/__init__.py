"""The desktop app: data set, training, simulation and quantum nuclei, with the mouse."""
