//! What the packet path has to reach. The ids are stable: others read them from `--json`.

/// A limit for a figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bar {
    /// The limit.
    pub limit: f64,
    /// The figure must be at least the limit; otherwise at most.
    pub least: bool,
}

const fn least(limit: f64) -> Bar {
    Bar { limit, least: true }
}

const fn most(limit: f64) -> Bar {
    Bar { limit, least: false }
}

/// Id, bar, and whether it is for the ratio; else it is for the value.
const BARS: [(&str, Bar, bool); 16] = [
    ("one_source", least(0.85), true),
    ("random_source_1m_prefixes", least(0.55), true),
    ("random_source_1m_prefixes_v6", least(0.50), true),
    ("random_source_vs_nft_meter", least(3.0), true),
    ("random_source_vs_seed_like", least(5.0), true),
    ("deny_drop_ns", most(0.6), true),
    ("full_pass_ns", most(0.8), true),
    ("prefix_load_1m_s", most(1.0), false),
    ("block_to_effect_ms", most(10.0), false),
    ("agent_rss_idle_mib", most(64.0), false),
    ("agent_rss_attack_mib", most(160.0), false),
    ("agent_cpu_attack_cores", most(0.10), false),
    // "Within 5 %" is a distance from 1, which is what these rows show.
    ("limiter_error_source_one_core", most(0.05), false),
    ("limiter_error_source_two_cores", most(0.05), false),
    ("limiter_error_target_one_core", most(0.05), false),
    ("limiter_error_target_two_cores", most(0.05), false),
];

/// The bar of a row, if it has one.
pub fn of(id: &str) -> Option<Bar> {
    BARS.iter().find(|(name, ..)| *name == id).map(|(_, bar, _)| *bar)
}

/// Whether the bar is for the ratio.
pub fn is_ratio(id: &str) -> bool {
    BARS.iter().any(|(name, _, ratio)| *name == id && *ratio)
}
