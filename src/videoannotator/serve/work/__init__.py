"""Where jobs are executed: dispatcher, executors, the child process that runs `Annotator`."""
