"""LIDC-IDRI slices, labelled and with the readers' consensus."""
