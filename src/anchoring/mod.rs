//! Room `anchoring`.
