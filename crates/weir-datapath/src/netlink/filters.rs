//! Programs that `tc filter add … bpf` put on an interface: the older neighbour of tcx.

use std::io;

use super::message::{attributes, dump, u32_at};

/// One such program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Program id.
    pub program: u32,
    /// The name that `tc` gave it, mostly file and section.
    pub name: String,
}

const RTM_GETTFILTER: u16 = 46;
const TCA_KIND: u16 = 1;
const TCA_OPTIONS: u16 = 2;
const TCA_BPF_NAME: u16 = 7;
const TCA_BPF_ID: u16 = 11;
/// `struct tcmsg`.
const TC: usize = 20;
/// `TC_H_CLSACT` with the minor number of a direction.
const INGRESS: u32 = 0xffff_fff2;
const EGRESS: u32 = 0xffff_fff3;

/// Asks the kernel about an interface of this thread's network namespace.
pub fn filters_of(ifindex: u32, egress: bool) -> io::Result<Vec<Filter>> {
    let mut tc = [0u8; TC];
    tc[4..8].copy_from_slice(&ifindex.to_ne_bytes());
    tc[12..16].copy_from_slice(&(if egress { EGRESS } else { INGRESS }).to_ne_bytes());
    Ok(dump(RTM_GETTFILTER, &tc)?.iter().filter_map(|message| parse(message)).collect())
}

fn parse(message: &[u8]) -> Option<Filter> {
    let all = || attributes(message.get(TC..).unwrap_or_default());
    all().find(|(kind, value)| *kind == TCA_KIND && text(value) == "bpf")?;
    let (_, options) = all().find(|(kind, _)| *kind == TCA_OPTIONS)?;
    let (mut program, mut name) = (0, String::new());
    for (kind, value) in attributes(options) {
        match kind {
            TCA_BPF_ID => program = u32_at(value, 0)?,
            TCA_BPF_NAME => name = text(value),
            _ => {}
        }
    }
    (program != 0).then_some(Filter { program, name })
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

#[cfg(test)]
mod tests {
    //! Filters of two kinds.
    use super::super::message::attribute;
    use super::*;

    fn filter(kind: &[u8]) -> Vec<u8> {
        let options =
            [attribute(TCA_BPF_NAME, b"drop.o:[main]\0"), attribute(TCA_BPF_ID, &7u32.to_ne_bytes())].concat();
        [vec![0; TC], attribute(TCA_KIND, kind), attribute(TCA_OPTIONS, &options)].concat()
    }

    #[test]
    fn only_programs_are_told() {
        assert_eq!(parse(&filter(b"bpf\0")), Some(Filter { program: 7, name: "drop.o:[main]".into() }));
        assert_eq!(parse(&filter(b"u32\0")), None);
        assert_eq!(parse(&[0; TC - 1]), None);
    }
}
