.PHONY: demo test lint format

demo:
	./run demo

test:
	./run test

lint:
	./run lint

format:
	.venv/bin/ruff format .
	.venv/bin/ruff check --fix .
