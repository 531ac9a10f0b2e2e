"""Reports over the results of load tests: the page, the comparison, the condition that fails a run."""
