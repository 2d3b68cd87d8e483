//! Runs the loaded programs on frames of our making (`BPF_PROG_TEST_RUN`): parity tests, benches, and the clock probe.

use std::time::Duration;

use aya::programs::{TestRun, TestRunOptions, TestRunResult};

use crate::error::{DatapathError, Result};
use crate::object::{CLOCK, EGRESS, Object, TCX, XDP};

/// What a run gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The program's return value.
    pub returned: u32,
    /// Time of one run, averaged over the repeats, as the kernel measured it.
    pub each: Duration,
}

impl Object {
    /// Runs the XDP program on a frame.
    pub fn run_xdp(&mut self, frame: &[u8], repeat: u32) -> Result<Run> {
        run(XDP, self.xdp()?, frame, repeat)
    }

    /// Runs the XDP program on a frame once; says what became of the frame as well.
    pub fn change_xdp(&mut self, frame: &[u8]) -> Result<(Run, Vec<u8>)> {
        change(XDP, self.xdp()?, frame)
    }

    /// The same with the tcx program.
    pub fn change_tcx(&mut self, frame: &[u8]) -> Result<(Run, Vec<u8>)> {
        change(TCX, self.tcx()?, frame)
    }

    /// Runs the tcx program on a frame.
    pub fn run_tcx(&mut self, frame: &[u8], repeat: u32) -> Result<Run> {
        run(TCX, self.tcx()?, frame, repeat)
    }

    /// Runs the program for what the host sends on a frame.
    pub fn run_egress(&mut self, frame: &[u8], repeat: u32) -> Result<Run> {
        run(EGRESS, self.egress()?, frame, repeat)
    }

    /// The kernel's tick (`jiffies64`) now.
    pub fn tick(&mut self) -> Result<u64> {
        let program = self.clock()?;
        let (frame, mut out) = ([0u8; 64], [0u8; 64]);
        let mut options = options(&frame, 1);
        options.data_out = Some(&mut out);
        program.test_run(options).map_err(|e| DatapathError::Program { name: CLOCK, source: Box::new(e) })?;
        Ok(out.first_chunk().map_or(0, |b| u64::from_ne_bytes(*b)))
    }
}

fn run<P>(name: &'static str, program: &P, frame: &[u8], repeat: u32) -> Result<Run>
where
    P: for<'a> TestRun<Opts<'a> = TestRunOptions<'a>, Result = TestRunResult>,
{
    let result =
        program.test_run(options(frame, repeat)).map_err(|e| DatapathError::Program { name, source: Box::new(e) })?;
    Ok(Run { returned: result.return_value, each: result.duration })
}

fn change<P>(name: &'static str, program: &P, frame: &[u8]) -> Result<(Run, Vec<u8>)>
where
    P: for<'a> TestRun<Opts<'a> = TestRunOptions<'a>, Result = TestRunResult>,
{
    let mut out = vec![0; frame.len() + ROOM];
    let mut options = options(frame, 1);
    options.data_out = Some(&mut out);
    let result = program.test_run(options).map_err(|e| DatapathError::Program { name, source: Box::new(e) })?;
    out.truncate(result.data_size_out as usize);
    Ok((Run { returned: result.return_value, each: result.duration }, out))
}

/// Bytes by which a program may make a frame longer.
const ROOM: usize = 64;

fn options(frame: &[u8], repeat: u32) -> TestRunOptions<'_> {
    TestRunOptions { data_in: Some(frame), repeat: repeat.max(1), ..TestRunOptions::default() }
}
