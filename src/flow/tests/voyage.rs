//! Random voyages of labels.
use super::*;
