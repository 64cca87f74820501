//! Holds only a bench.
