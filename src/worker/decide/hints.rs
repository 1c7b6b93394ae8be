//! What a hint comes to: the order that it names is read from the channel.
//!
//! What always holds: the record itself changes nothing.

use super::{Decided, Frame, Setting};
use crate::canonical::inbox::{Disposition, InboxRecord};
use crate::flow;
use crate::worker::memory::{Kind, Memory};

impl Frame<'_> {
    /// The order is read from the channel; its answer is a delivery of its own.
    pub(super) fn refetch(
        &self,
        setting: Setting<'_>,
        row: &mut InboxRecord,
        memory: &mut Memory,
        out: &mut Decided,
    ) {
        row.disposition = Disposition::Ignored;
        row.reason = Some("only a hint: the order is read from the channel".to_owned());
        let Some(external_id) = row.external_id.clone() else {
            return;
        };
        let subject = (self.wire.connection_id, external_id);
        let known = memory.take(Kind::Order, &subject);
        let order_id = known.map(|state| state.order.meta.id);
        row.subject = order_id.map(|id| id.to_string());
        let job = flow::jobs::orders_get(&setting.flow(), order_id, &subject.1);
        out.change.jobs.push(job);
    }
}
