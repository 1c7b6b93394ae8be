//! Random voyages of labels.
