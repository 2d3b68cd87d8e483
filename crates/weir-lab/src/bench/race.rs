//! Contenders under the same flood, taking turns: what disturbs this machine then disturbs all of them alike.

use std::time::Duration;

use anyhow::Result;

use super::contender::Contender;
use super::row::{Row, Series};
use super::sender::{Sender, Traffic};
use crate::stop::Interrupted;

/// Floods' unit.
pub const MPPS: &str = "Mpps";

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// Turns of each contender.
    pub rounds: usize,
    /// Length of a turn.
    pub turn: Duration,
    /// Runs of a program on one frame, at a time.
    pub repeat: u32,
}

impl Effort {
    /// For figures.
    pub const FULL: Effort = Effort { rounds: 5, turn: Duration::from_millis(250), repeat: 1_000_000 };
    /// For a look: too few turns for a verdict.
    pub const QUICK: Effort = Effort { rounds: 2, turn: Duration::from_millis(120), repeat: 300_000 };
}

/// A contender in a race.
pub struct Lane {
    id: String,
    about: String,
    contender: Result<Box<dyn Contender>, String>,
    series: Series,
    note: String,
}

impl Lane {
    /// A contender; one that could not be made gets a row that says why.
    pub fn new(id: &str, about: &str, contender: Result<Box<dyn Contender>>) -> Lane {
        let contender = contender.map_err(|error| format!("{error:#}"));
        Lane { id: id.to_owned(), about: about.to_owned(), contender, series: Series::default(), note: String::new() }
    }

    /// The id of its row.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn turn(&mut self, sender: &mut Sender, traffic: &Traffic, time: Duration) -> Result<()> {
        let Ok(contender) = &mut self.contender else { return Ok(()) };
        let result = contender.stand().and_then(|_stands| sender.run(traffic, time));
        match result {
            Ok(mpps) => {
                self.series.0.push(mpps);
                self.note = contender.note();
            }
            Err(error) if error.is::<Interrupted>() => return Err(error),
            Err(error) => self.contender = Err(format!("{error:#}")),
        }
        Ok(())
    }

    fn row(&self, first: &Lane) -> Row {
        let Err(why) = &self.contender else {
            let row = Row::highest(&self.id, &self.about, MPPS, &self.series).note(&self.note);
            return row.beside(&first.about, &self.series, &first.series, first.series.highest());
        };
        Row::missing(&self.id, &self.about, MPPS, why)
    }
}

/// Runs the race. All rows stand beside the first lane.
pub fn race(sender: &mut Sender, traffic: &Traffic, effort: Effort, mut lanes: Vec<Lane>) -> Result<Vec<Row>> {
    for _ in 0..effort.rounds {
        for lane in &mut lanes {
            lane.turn(sender, traffic, effort.turn)?;
        }
    }
    let Some(first) = lanes.first() else { return Ok(Vec::new()) };
    Ok(lanes.iter().map(|lane| lane.row(first)).collect())
}
