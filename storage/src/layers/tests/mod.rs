//! A layered table is a set of keys like any other, whatever lies in which level; and what is damaged in it is found.

mod damage;
mod levels;
mod model;
mod support;

pub(crate) use support::unlay;
