//! Rate limits, tried against the cells that will hold them, so that a refusal names the line it is about.

use weir_policy::limits::{Cell, Rate, Unit, compile};
use weir_policy::model::RateLimits;

use super::Conversion;
use crate::field::FieldPath;
use crate::spec::{DimensionsSpec, LimitsSpec, RateSpec};
use crate::yaml::Origin;

/// The three kinds of keys, in the order of the neutral model.
pub(super) struct Limits {
    pub per_source: RateLimits,
    pub per_prefix: RateLimits,
    pub per_target: RateLimits,
}

impl Conversion<'_> {
    pub(super) fn limits(&mut self, spec: &LimitsSpec, origin: &Origin) -> Limits {
        let at = FieldPath::spec().field("limits");
        if spec.east_west.is_some() {
            let message = "limits between workloads need a cluster and have no effect in this version";
            self.warn(origin, &at.field("eastWest"), message);
        }
        Limits {
            per_source: self.dimensions(spec.per_source, Cell::Source, &at.field("perSource"), origin),
            per_prefix: self.dimensions(spec.per_prefix, Cell::Source, &at.field("perPrefix"), origin),
            per_target: self.dimensions(spec.per_target, Cell::Target, &at.field("perTarget"), origin),
        }
    }

    fn dimensions(&mut self, spec: Option<DimensionsSpec>, cell: Cell, at: &FieldPath, origin: &Origin) -> RateLimits {
        let spec = spec.unwrap_or_default();
        let mut rate = |rate: Option<RateSpec>, unit, name| self.rate(rate?, cell, unit, &at.field(name), origin);
        RateLimits {
            packets: rate(spec.packets, Unit::Packets, "packets"),
            bytes: rate(spec.bytes, Unit::Bytes, "bytes"),
            connections: rate(spec.connections, Unit::Packets, "connections"),
        }
    }

    fn rate(&mut self, spec: RateSpec, cell: Cell, unit: Unit, at: &FieldPath, origin: &Origin) -> Option<Rate> {
        let rate = Rate { average: spec.average.0, burst: spec.burst(), period: spec.period.get() };
        match compile(&rate, cell, unit, self.clock.hz) {
            Ok(compiled) => {
                if let (Some(raised), Some(asked)) = (compiled.raised_burst, spec.burst) {
                    let message =
                        format!("a burst of {asked} is below what the kernel's clock can tell: {raised} is used");
                    self.warn(origin, &at.field("burst"), message);
                }
                Some(rate)
            }
            Err(refusal) => {
                self.error(origin, at, refusal.to_string());
                None
            }
        }
    }
}
