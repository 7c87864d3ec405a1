//! Room `mempool`.
