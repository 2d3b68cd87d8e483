//! The lab: network namespaces that play a node with its pods, a router, customers and attackers on one machine.

pub mod child;
pub mod clean;
pub mod cpu;
pub mod customers;
pub mod flood;
pub mod lab;
pub mod name;
pub mod netns;
pub mod plan;
pub mod queue;
pub mod server;
pub mod state;
pub mod tool;
pub mod topology;
