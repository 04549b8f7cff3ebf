"""The interface of models, the families, and the networks and likelihoods they share."""
