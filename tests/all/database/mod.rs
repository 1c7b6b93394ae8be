//! A PostgreSQL server of a test's own: lost and found again, over TLS; and backups of both stores.

mod backups;
mod lost;
mod tls;

use super::support::database::Database;
