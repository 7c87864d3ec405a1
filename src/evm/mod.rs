//! Room `evm`.
