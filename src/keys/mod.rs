//! Room `keys`.
