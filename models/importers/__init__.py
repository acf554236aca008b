"""Import of model files of other libraries as versions that can be published."""
