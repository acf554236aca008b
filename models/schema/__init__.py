"""What a version is and takes: model card, artifact hash, input schema, columns."""
