//! `doctor`: a table of each needed piece, with the repair of what is missing. It changes nothing.

use std::fmt::Write as _;

use anyhow::Result;

use crate::bpf::ebpf::{compiler, linker};
use crate::kernel::{self, Fact};
use crate::project::Project;
use crate::setup::{LINKER_VERSION, MOUNTS, linker_version};
use crate::sh::tell;
use crate::tools::TOOLS;

const BY_SETUP: &str = "cargo xtask setup";

/// One line of the table.
struct Row {
    piece: String,
    fact: Fact,
    repair: String,
}

impl Row {
    fn new(piece: impl Into<String>, fact: Fact, repair: impl Into<String>) -> Row {
        Row { piece: piece.into(), fact, repair: repair.into() }
    }
}

/// Prints the table; `false` when something is missing.
pub fn run(project: &Project) -> Result<bool> {
    let groups = [("build", build()), ("kernel", kernel()), ("tools", tools()), ("tests", tests(project))];
    let missing = groups.iter().flat_map(|(_, rows)| rows).filter(|row| row.fact.is_err()).count();
    for (name, rows) in &groups {
        tell(render(name, rows).trim_end());
    }
    match missing {
        0 => tell("everything is there"),
        1 => tell("1 piece is missing"),
        _ => tell(format!("{missing} pieces are missing")),
    }
    Ok(missing == 0)
}

fn build() -> Vec<Row> {
    let compiler = compiler::choose();
    let llvm = match &compiler {
        Ok(compiler) => linker::find_llvm(compiler).map(|path| path.display().to_string()),
        Err(_) => Err(linker::Missing::Llvm),
    };
    let linker = match linker_version() {
        Some(version) if version == LINKER_VERSION => Ok(version),
        Some(version) => Err(format!("is {version}, known to work is {LINKER_VERSION}")),
        None => Err("not installed".to_owned()),
    };
    let compiler = compiler.map(|compiler| format!("toolchain `{}`, {}", compiler.name, compiler.rustc.display()));
    let compiler = compiler
        .map_err(|tried| tried.iter().map(|(name, why)| format!("`{name}` {why}")).collect::<Vec<_>>().join("; "));
    vec![
        Row::new("C compiler", kernel::c_compiler(), "apt-get install gcc libc6-dev"),
        Row::new("BPF compiler", compiler, BY_SETUP),
        Row::new("bpf-linker", linker, BY_SETUP),
        Row::new(
            format!("LLVM {}", compiler::LLVM_MAJOR),
            llvm.map_err(|_| "none that bpf-linker could load".to_owned()),
            BY_SETUP,
        ),
    ]
}

fn kernel() -> Vec<Row> {
    let (major, minor) = kernel::FLOOR;
    let mut rows = vec![
        Row::new("version", kernel::version(), format!("boot a kernel of {major}.{minor} or later")),
        Row::new("BTF", kernel::btf(), "boot a kernel with CONFIG_DEBUG_INFO_BTF=y"),
        Row::new("capabilities", kernel::capabilities(), "run as root, or in a container with --privileged"),
        Row::new(
            "XDP on veth",
            kernel::veth_xdp(),
            "cargo xtask setup; then a kernel with CONFIG_VETH, CONFIG_BPF_SYSCALL and CONFIG_BPF_JIT",
        ),
    ];
    rows.extend(MOUNTS.iter().map(|(kind, place)| Row::new(*kind, kernel::mount(kind, place), BY_SETUP)));
    rows
}

fn tools() -> Vec<Row> {
    let row = |tool: &crate::tools::Tool| {
        let fact = tool.find().map(|path| path.display().to_string()).ok_or_else(|| tool.purpose.to_owned());
        Row::new(tool.package, fact, BY_SETUP)
    };
    TOOLS.iter().map(row).collect()
}

fn tests(project: &Project) -> Vec<Row> {
    let corpus = project.shared().join("corpus");
    let fact = if corpus.is_dir() {
        Ok(corpus.canonicalize().unwrap_or(corpus).display().to_string())
    } else {
        Err(format!("not at {}", corpus.display()))
    };
    vec![Row::new("captures", fact, "put the reference captures there, or name their place in WEIR_SHARED")]
}

fn render(group: &str, rows: &[Row]) -> String {
    let mut text = format!("{group}\n");
    for row in rows {
        let (mark, detail) = match &row.fact {
            Ok(detail) => ("ok", detail),
            Err(detail) => ("missing", detail),
        };
        let _ = writeln!(text, "  {mark:<8} {:<14} {detail}", row.piece);
        if row.fact.is_err() {
            let _ = writeln!(text, "  {:<8} {:<14} repair: {}", "", "", row.repair);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_comes_with_its_repair() {
        let rows = [
            Row::new("BTF", Ok("there".to_owned()), "x"),
            Row::new("nginx-light", Err("the lab's HTTP service".to_owned()), "cargo xtask setup"),
        ];
        let expected = "tools
  ok       BTF            there
  missing  nginx-light    the lab's HTTP service
                          repair: cargo xtask setup
";
        assert_eq!(render("tools", &rows), expected);
    }
}
