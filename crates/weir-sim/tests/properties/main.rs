//! What holds for all inputs: lists say what a plain search says, limits hold whom they should and spare the others, and no
//! packet breaks anything.

#[path = "../../../weir-wire/tests/packets/mod.rs"]
mod golden;
#[path = "../../../weir-policy/tests/common/mod.rs"]
mod oracle;
#[path = "../common/traffic/mod.rs"]
mod traffic;

mod any_packet;
mod limits;
mod lists;
