//! PoOT: proof of operational tasks.
