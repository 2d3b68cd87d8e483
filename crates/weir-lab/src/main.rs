//! `weir-lab`: see [`weir_lab`].

use std::process::ExitCode;

use weir_lab::stop;

/// 0: fine. 1: a run with findings. 2: an error. 130: ended by a signal, cleaned up.
fn main() -> ExitCode {
    match weir_lab::cli::main() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        // Ctrl-C reaches the tools under way as well: whatever failed then, failed because of it.
        Err(_) if stop::asked() => {
            eprintln!("interrupted; everything is removed");
            ExitCode::from(130)
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}
