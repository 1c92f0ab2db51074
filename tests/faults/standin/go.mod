module stagewright.dev/tests/faults/standin

go 1.26
