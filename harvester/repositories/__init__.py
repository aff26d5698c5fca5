"""Records of general repositories: DataCite, OAI-PMH, InvenioRDM, Dataverse."""
