//! What becomes of a packet, and why: the order of the decision, told as stories of one node.

#[path = "../common/traffic/packet.rs"]
mod packet;

mod challenge;
mod connections;
mod dawdlers;
mod features;
mod fragments;
mod hammers;
mod hygiene;
mod limits;
mod link;
mod lists;
mod observe;
mod order;
mod regulars;
mod rules;
mod sampling;
mod story;
mod targets;
mod tunnels;
mod turns;
mod world;
