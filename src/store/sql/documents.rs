//! Documents: labels and other papers, sealed with their merchant's key.
//!
//! What always holds: bytes are stored once and never changed, whatever is written under an id
//! again; a scope sees its own only; what was erased is not there.

use super::SqlStore;
use super::codec::{Columns, Result, from_json, micros, to_json_text};
use super::value::params;
use super::writer::WriteCtx;
use crate::canonical::document::StoredDocument;
use crate::canonical::{DocumentId, MerchantId, ShipmentId};
use crate::store::Scope;

/// What a document's ciphertext is bound to.
const TABLE: &str = "documents";

/// Seals a document's bytes; its merchant's key is loaded.
pub(in crate::store) fn seal(shared: &super::Shared, document: &StoredDocument) -> Result<Vec<u8>> {
    let key = shared.key(document.merchant_id)?;
    Ok(key.seal(TABLE, document.about.id.as_bytes(), &document.content))
}

/// Stores a document.
pub(in crate::store) fn write(
    ctx: &WriteCtx<'_>,
    document: &StoredDocument,
    sealed: &[u8],
) -> Result<()> {
    ctx.conn
        .prepare_cached(
            "INSERT INTO documents (id, merchant_id, shipment_id, about, created_at, sealed)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )?
        .run(params![
            document.about.id.as_bytes(),
            document.merchant_id.as_bytes(),
            document.shipment_id.as_bytes(),
            to_json_text(&document.about)?,
            micros(document.created_at),
            sealed,
        ])
}

impl SqlStore {
    pub(in crate::store) async fn document(
        &self,
        scope: Scope,
        id: DocumentId,
    ) -> Result<Option<StoredDocument>> {
        self.read(move |reader| {
            let mut query = reader.conn.prepare_cached(
                "SELECT merchant_id, shipment_id, about, created_at, sealed FROM documents
                 WHERE id = ?",
            )?;
            let mut rows = query.query(params![id.as_bytes()])?;
            let Some(row) = rows.next()? else {
                return Ok(None);
            };
            let merchant_id = MerchantId::from_uuid(row.uuid(0)?);
            if !scope.sees(merchant_id) {
                return Ok(None);
            }
            let sealed = row.blob(4)?;
            let Some(content) = reader.open_unless_erased(TABLE, id.as_bytes(), sealed)? else {
                return Ok(None);
            };
            Ok(Some(StoredDocument {
                merchant_id,
                shipment_id: ShipmentId::from_uuid(row.uuid(1)?),
                about: from_json(row.text(2)?.as_bytes())?,
                content,
                created_at: row.time(3)?,
            }))
        })
        .await
    }
}
