"""The eGeMAPS acoustic parameter set for videoannotator, through openSMILE (research licence)."""
