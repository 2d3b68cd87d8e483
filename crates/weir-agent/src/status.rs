//! The view as the API's types.

use std::collections::BTreeMap;

use weir_api::local::{
    AttachmentRow, CounterRow, EntryAction, EntryOrigin, EntryRow, FeatureRow, FindingRow, Hook, NodeMode,
    PolicyStatus, Status, TargetRow,
};
use weir_api::spec::{BlockAction, Cidr, Moment};
use weir_policy::model::Endpoint;

use crate::datapath;
use crate::entries::Entry;
use crate::traffic::Traffic;
use crate::view::{PolicyView, View};

/// Endpoints shown for one target.
const SHOWN: usize = 256;

/// `GET /api/v1/status`.
pub fn status(view: &View) -> Status {
    let (policy, traffic) = (view.policy(), view.traffic());
    let not_ready = policy.not_ready();
    Status {
        ready: not_ready.is_empty(),
        not_ready,
        mode: policy.mode.into(),
        mode_forced: policy.forced,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: std::process::id(),
        started: Moment::from_system(view.started),
        attachments: policy.attachments.iter().map(attachment).collect(),
        policy: policy_status(&policy),
        targets: targets(&policy, &traffic),
        blocks: entries(&policy, BlockAction::Deny),
        allows: entries(&policy, BlockAction::Allow),
        totals: traffic.totals(),
    }
}

/// `GET /api/v1/policy`.
pub fn policy_status(policy: &PolicyView) -> PolicyStatus {
    PolicyStatus {
        generation: policy.generation,
        directory: policy.directory.as_ref().map(|d| d.display().to_string()),
        files: policy.files.clone(),
        objects: policy.objects,
        prefixes: policy.prefixes,
        applied: policy.applied.map(Moment::from_system),
        apply_ms: policy.apply_time.as_secs_f64() * 1000.0,
        stale: policy.stale,
        errors: policy.errors.iter().map(FindingRow::from).collect(),
        warnings: policy.warnings.iter().map(FindingRow::from).collect(),
    }
}

/// `GET /api/v1/counters`.
pub fn counters(policy: &PolicyView, traffic: &Traffic) -> Vec<CounterRow> {
    let row = |r: &crate::traffic::Row| CounterRow {
        target: r.target,
        target_name: policy.target_name(r.target),
        reason: r.reason.label().to_owned(),
        verdict: r.verdict,
        packets: r.total.packets,
        bytes: r.total.bytes,
        packets_per_s: r.packets_per_s,
        bytes_per_s: r.bytes_per_s,
        text: r.reason.text().to_owned(),
    };
    traffic.rows.iter().map(row).collect()
}

/// `GET /api/v1/targets`.
pub fn targets(policy: &PolicyView, traffic: &Traffic) -> Vec<TargetRow> {
    let mut features: BTreeMap<u32, Vec<FeatureRow>> = BTreeMap::new();
    for (target, feature, packets) in &traffic.features {
        if *packets > 0 {
            let row = FeatureRow { feature: feature.label().to_owned(), packets: *packets };
            features.entry(*target).or_default().push(row);
        }
    }
    let mut rows: Vec<TargetRow> = Vec::new();
    for target in &policy.policy.targets {
        // Id 0 is the node, whatever a target is called.
        let mut names = (0u32..).zip(&policy.names.targets).skip(1);
        let Some((id, _)) = names.find(|(_, name)| **name == target.name) else { continue };
        rows.push(TargetRow {
            id,
            name: target.name.clone(),
            mode: if target.enforce { NodeMode::Enforce } else { NodeMode::Observe },
            addresses: target.endpoints.iter().take(SHOWN).map(endpoint).collect(),
            entries: target.endpoints.len() as u64,
            features: features.remove(&id).unwrap_or_default(),
        });
    }
    rows.sort_by_key(|row| row.id);
    rows
}

/// `GET /api/v1/blocks` and `/api/v1/allows`.
pub fn entries(policy: &PolicyView, action: BlockAction) -> Vec<EntryRow> {
    let wanted = policy.entries.iter().filter(|(_, entry)| entry.action == action);
    wanted.map(|(cidr, entry)| entry_row(*cidr, entry)).collect()
}

/// One runtime entry.
pub fn entry_row(cidr: Cidr, entry: &Entry) -> EntryRow {
    EntryRow {
        cidr,
        action: EntryAction::from(entry.action),
        reason: entry.reason.clone(),
        expires: entry.expires,
        origin: EntryOrigin::Runtime,
    }
}

/// The hook in the API's spelling.
pub fn hook(hook: datapath::Hook) -> Hook {
    match hook {
        datapath::Hook::NativeXdp => Hook::NativeXdp,
        datapath::Hook::XdpDispatcher => Hook::XdpDispatcher,
        datapath::Hook::Tcx => Hook::Tcx,
        datapath::Hook::GenericXdp => Hook::GenericXdp,
    }
}

fn attachment(a: &datapath::Attachment) -> AttachmentRow {
    AttachmentRow {
        interface: a.interface.clone(),
        hook: hook(a.hook),
        reason: a.reason.clone(),
        adopted: a.adopted,
        blind: a.blind.clone(),
        mute: a.mute.clone(),
        foreign: a.foreign.clone(),
    }
}

fn endpoint(e: &Endpoint) -> String {
    let address = match (e.addr, e.port) {
        (ip, 0) => ip.to_string(),
        (std::net::IpAddr::V6(ip), port) => format!("[{ip}]:{port}"),
        (ip, port) => format!("{ip}:{port}"),
    };
    match e.proto {
        0 => address,
        1 => format!("{address}/icmp"),
        6 => format!("{address}/tcp"),
        17 => format!("{address}/udp"),
        58 => format!("{address}/icmpv6"),
        132 => format!("{address}/sctp"),
        n => format!("{address}/{n}"),
    }
}
