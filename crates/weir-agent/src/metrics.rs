//! `/metrics`: the last reading in OpenMetrics text, made when it is asked for; nothing is counted twice.

mod incidents;

use std::fmt;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use weir_api::local::{NodeMode, Verdict};

use crate::status::hook;
use crate::view::View;

/// The metrics as text.
pub fn text(view: &Arc<View>) -> Result<String, fmt::Error> {
    let mut registry = Registry::with_prefix("weir");
    registry.register_collector(Box::new(Collected(Arc::clone(view))));
    let mut out = String::new();
    prometheus_client::encoding::text::encode(&mut out, &registry)?;
    Ok(out)
}

/// What the engine wrote into the view.
struct Collected(Arc<View>);

impl fmt::Debug for Collected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Collected")
    }
}

type Labels = Vec<(&'static str, String)>;

impl Collector for Collected {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let view = &self.0;
        let (policy, traffic) = (view.policy(), view.traffic());
        let row_labels = |target: u32, reason: &str, verdict: Verdict| -> Labels {
            vec![
                ("target", policy.target_name(target)),
                ("reason", reason.to_owned()),
                ("verdict", verdict.label().to_owned()),
            ]
        };
        let rows = || traffic.rows.iter().map(|r| (row_labels(r.target, r.reason.label(), r.verdict), r.total));
        counters(
            &mut encoder,
            "packets",
            "Packets by target, reason and verdict",
            rows().map(|(l, c)| (l, c.packets)),
        )?;
        counters(&mut encoder, "bytes", "Bytes of whole frames", rows().map(|(l, c)| (l, c.bytes)))?;

        let features = traffic.features.iter().map(|(target, feature, n)| {
            (vec![("target", policy.target_name(*target)), ("feature", feature.label().to_owned())], *n)
        });
        counters(&mut encoder, "feature_packets", "Packets with a feature, dropped ones too", features)?;

        incidents::encode(&mut encoder, view)?;

        let writes = [("done", view.store.written()), ("failed", view.store.failed())];
        counters(
            &mut encoder,
            "store_writes",
            "Writes of what is kept over restarts",
            writes.map(|(outcome, n)| (vec![("outcome", outcome.to_owned())], n)),
        )?;

        let told = view.told().iter().flat_map(|(to, stats)| {
            let labels = |outcome: &str| vec![("to", (*to).to_owned()), ("outcome", outcome.to_owned())];
            stats.outcomes().map(|(outcome, n)| (labels(outcome), n))
        });
        counters(&mut encoder, "notifications", "Steps of incidents that were to be told to others", told)?;

        let received = view.recent().received;
        counters(&mut encoder, "samples", "Packet samples received", [(vec![], received)])?;
        let lost = traffic.lost_samples;
        let lost = [("over_budget", lost.over_budget), ("ring_full", lost.ring_full)];
        counters(
            &mut encoder,
            "samples_lost",
            "Packet samples that were due and did not come",
            lost.map(|(why, n)| (vec![("why", why.to_owned())], n)),
        )?;
        let rates = [("pass", traffic.sampling.pass_mask), ("drop", traffic.sampling.drop_mask)];
        gauges(
            &mut encoder,
            "sample_every_packets",
            "One of so many packets is sampled",
            rates.map(|(kind, mask)| (vec![("verdict", kind.to_owned())], f64::from(mask) + 1.0)),
        )?;

        let attached = policy
            .attachments
            .iter()
            .map(|a| (vec![("interface", a.interface.clone()), ("hook", hook(a.hook).label().to_owned())], 1.0));
        gauges(&mut encoder, "attachment", "Interfaces in the packet path", attached)?;
        let maps = || traffic.maps.iter().map(|m| (vec![("map", m.name.clone())], m));
        gauges(&mut encoder, "map_entries", "Elements in use", maps().map(|(l, m)| (l, m.entries as f64)))?;
        gauges(&mut encoder, "map_capacity", "Elements a map can hold", maps().map(|(l, m)| (l, m.capacity as f64)))?;

        let one = |n: f64| [(Labels::new(), n)];
        gauges(&mut encoder, "policy_generation", "Policies put in force", one(policy.generation as f64))?;
        let stale = f64::from(u8::from(policy.stale));
        gauges(&mut encoder, "policy_stale", "1: the files are refused and an earlier policy is in force", one(stale))?;
        let seconds = policy.apply_time.as_secs_f64();
        gauges(&mut encoder, "policy_apply_seconds", "How long the last policy took to come into force", one(seconds))?;
        gauges(
            &mut encoder,
            "runtime_entries",
            "Blocks and exceptions made at run time",
            one(policy.entries.len() as f64),
        )?;
        let started = view.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        gauges(&mut encoder, "agent_start_time_seconds", "When the agent started", one(started))?;
        let info: Labels = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("mode", NodeMode::from(policy.mode).label().to_owned()),
        ];
        gauges(&mut encoder, "agent_info", "The agent's version and the node's mode", [(info, 1.0)])
    }
}

fn counters(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, u64)>,
) -> fmt::Result {
    let zero = ConstCounter::new(0u64);
    let mut family = encoder.encode_descriptor(name, help, None, zero.metric_type())?;
    for (labels, n) in rows {
        let metric = ConstCounter::new(n);
        if labels.is_empty() {
            return metric.encode(family);
        }
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    rows: impl IntoIterator<Item = (Labels, f64)>,
) -> fmt::Result {
    let zero = ConstGauge::new(0f64);
    let mut family = encoder.encode_descriptor(name, help, None, zero.metric_type())?;
    for (labels, n) in rows {
        let metric = ConstGauge::new(n);
        if labels.is_empty() {
            return metric.encode(family);
        }
        metric.encode(family.encode_family(&labels)?)?;
    }
    Ok(())
}
