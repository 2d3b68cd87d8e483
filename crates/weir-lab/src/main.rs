//! `weir-lab`: see [`weir_lab`].

use std::process::ExitCode;

use weir_lab::stop::Interrupted;

/// 0: fine. 1: a run with findings. 2: an error. 130: ended by a signal, cleaned up.
fn main() -> ExitCode {
    match weir_lab::cli::main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) if error.is::<Interrupted>() || error.root_cause().is::<Interrupted>() => {
            eprintln!("interrupted; everything is removed");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
