//! Ends a call when its time is over.

use revm::{
    Inspector,
    interpreter::{InstructionResult, Interpreter, InterpreterTypes},
};
use std::time::Instant;

/// Instructions between two looks at the clock: well under a millisecond of work, and too many for the looks to cost
/// anything.
const STEPS_PER_LOOK: u32 = 4_096;

/// Watches a call, and stops it in whatever frame it is once the deadline has passed.
#[derive(Debug)]
pub(super) struct Deadline {
    deadline: Instant,
    steps: u32,
    passed: bool,
}

impl Deadline {
    pub(super) fn new(deadline: Instant) -> Self {
        Self { deadline, steps: 0, passed: false }
    }

    /// Whether the deadline was found to have passed; looks at the clock.
    pub(super) fn look(&mut self) -> bool {
        self.passed = self.passed || Instant::now() >= self.deadline;
        self.passed
    }

    /// Whether the call was stopped, so that what came of it means nothing.
    pub(super) fn stopped(&self) -> bool {
        self.passed
    }
}

impl<C, I: InterpreterTypes> Inspector<C, I> for Deadline {
    fn step(&mut self, interpreter: &mut Interpreter<I>, _: &mut C) {
        self.steps += 1;
        if self.steps == STEPS_PER_LOOK {
            self.steps = 0;
            self.look();
        }
        // The frames around the stopped one come here too, each with its next instruction.
        if self.passed {
            interpreter.halt(InstructionResult::OutOfGas);
        }
    }
}
