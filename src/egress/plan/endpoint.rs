//! Whether the endpoint answers: up, or down and probed with back-off.
//!
//! What always holds: while it is down one probe at a time is in flight; when it answers again,
//! what failed only because it was down goes at once.

use super::super::schedule;
use super::{Endpoint, Item, Plan};
use crate::canonical::Timestamp;

impl Plan {
    /// What somebody changed may have mended it: if it is down it is probed now, and its back-off
    /// begins anew.
    pub fn probe_now(&mut self) {
        if let Endpoint::Down {
            probes, probe_at, ..
        } = &mut self.endpoint
        {
            (*probes, *probe_at) = (0, Timestamp::MIN);
        }
    }

    pub(super) fn endpoint_answers(&mut self, now: Timestamp) {
        let was_down = self.is_down();
        self.endpoint = Endpoint::Up { failures: 0 };
        if !was_down {
            return;
        }
        // It is back: what failed only because it was down goes at once, oldest first.
        let heads: Vec<Item> = self.timed.iter().map(|(_, item)| item.clone()).collect();
        for item in heads {
            let Item::Row(id) = &item else { continue };
            let Some(row) = self.rows.get_mut(id) else {
                continue;
            };
            if row.endpoint_was_down {
                let sequence = row.row.sequence;
                row.row.next_at = Some(now);
                self.timed.retain(|(_, timed)| *timed != item);
                self.ready.insert((Timestamp::MIN, sequence, item));
            }
        }
    }

    pub(super) fn endpoint_fails(
        &mut self,
        now: Timestamp,
        retry_after: Option<std::time::Duration>,
    ) {
        let probes = match self.endpoint {
            // A straggler of the same outage is no new probe.
            Endpoint::Down {
                probes,
                probing: false,
                probe_at,
            } => {
                self.endpoint = Endpoint::Down {
                    probes,
                    probing: false,
                    probe_at,
                };
                return;
            }
            Endpoint::Down { probes, .. } => probes.saturating_add(1),
            Endpoint::Up { .. } => 1,
        };
        let probe_at = retry_after.map_or_else(
            || schedule::next_probe(now, probes),
            |wait| schedule::after(now, wait),
        );
        self.endpoint = Endpoint::Down {
            probes,
            probe_at,
            probing: false,
        };
    }

    /// Counts an event-level refusal; true when there were so many that the endpoint counts as down.
    pub(super) fn count_refusal(&mut self, now: Timestamp) -> bool {
        match &mut self.endpoint {
            Endpoint::Up { failures } => {
                *failures += 1;
                let down = *failures >= schedule::FAILURES_THAT_MEAN_DOWN;
                if down {
                    self.endpoint_fails(now, None);
                }
                down
            }
            Endpoint::Down { .. } => {
                self.endpoint_fails(now, None);
                true
            }
        }
    }
}
