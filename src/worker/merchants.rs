//! All merchants, page by page.

use crate::canonical::connection::Merchant;
use crate::store::query::PageRequest;
use crate::store::{Scope, Store, StoreError};

/// So many merchants are read at once.
const PAGE: usize = 200;

/// Every merchant of the store, the operator among them.
///
/// # Errors
/// When the store cannot be read.
pub(super) async fn all(store: &dyn Store) -> Result<Vec<Merchant>, StoreError> {
    let mut all = Vec::new();
    let mut page = PageRequest {
        limit: PAGE,
        after: None,
    };
    loop {
        let found = store.merchants(Scope::All, page.clone()).await?;
        all.extend(found.data);
        match found.next {
            Some(after) => page.after = Some(after),
            None => return Ok(all),
        }
    }
}
