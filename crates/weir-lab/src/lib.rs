//! The lab: network namespaces that play a node with its pods, a router, customers and attackers on one machine.
//!
//! [`lab`] builds and removes it, [`topology`] and [`plan`] say what it looks like, [`server`] and [`customers`] give it a
//! service and people who use it, [`flood`] and [`bots`] attack it, [`weir`] protects it, [`tally`] and [`meter`] count packets
//! beside all of them. [`scenario`] names what can be tried, [`run`] tries it in three acts, [`report`] says what came of it and
//! [`series`] what came of it many times. [`bench`] measures the packet path beside others. Nothing here is shipped, and nothing here leaves the namespaces that it made.

pub mod bench;
pub mod bots;
pub mod child;
pub mod clean;
pub mod cli;
pub mod cpu;
pub mod customers;
pub mod demo;
pub mod device;
pub mod flood;
pub mod guard;
pub mod hold;
pub mod lab;
pub mod list;
pub mod meter;
pub mod name;
pub mod netns;
pub mod plan;
pub mod queue;
pub mod report;
pub mod rules;
pub mod run;
pub mod scenario;
pub mod series;
pub mod server;
pub mod state;
pub mod stop;
pub mod tally;
pub mod tool;
pub mod topology;
pub mod weir;
