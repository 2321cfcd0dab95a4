"""Dataset builders of TensorFlow Datasets."""
