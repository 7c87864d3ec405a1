//! Collections divided among the shards of a cluster, as the store's own index of ranges divides them.

use super::{error::MongoError, target::MongoTarget};
use crate::export::document::{BytesAs, append, to_value};
use bson::{Document, RawBson, RawDocumentBuf, doc};
use lucid_storage::{Schema, shard_fields};
use lucid_types::Document as Fields;

/// The database in which a cluster is told what to do with its collections.
const ADMIN: &str = "admin";

/// What a server says that does not know a command: it is no router of a cluster after all.
const COMMAND_NOT_FOUND: i32 = 59;

/// What a router says of a collection that is sharded already.
const ALREADY_INITIALIZED: i32 = 23;

/// What became of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharding {
    /// The server has no shards, or the collection is not one that is divided.
    None,
    /// It is sharded, and so many ranges of so many that were asked for have a beginning of their own.
    Sharded {
        /// Points at which it was split.
        split: usize,
        /// Points that there are.
        points: usize,
    },
    /// The server says that it has shards, and does not shard it: what it says. It is written to unsharded.
    Refused(String),
}

impl MongoTarget {
    /// Has a collection sharded, and split at these shard keys, where the server is the router of a cluster.
    ///
    /// # Errors
    ///
    /// The server does not answer.
    pub async fn shard(&mut self, schema: &'static Schema, points: &[Fields]) -> Result<Sharding, MongoError> {
        if !self.shards || shard_fields(&schema.def).is_empty() {
            return Ok(Sharding::None);
        }
        let refused = |error: MongoError| match error.is_passing() {
            true => Err(error),
            false => Ok(Sharding::Refused(error.to_string())),
        };
        let enable = doc! { "enableSharding": self.database.as_str() };
        let shard = shard_collection(&self.database, schema);
        for (name, command) in [("enableSharding", enable), ("shardCollection", shard)] {
            match self.server.command(ADMIN, name, &command).await {
                Ok(_) => {}
                Err(error) if error.code() == Some(ALREADY_INITIALIZED) => {}
                Err(error) => {
                    // An upsert of a collection that is not sharded needs no shard key, and must not be missed for one.
                    self.shards &= error.code() != Some(COMMAND_NOT_FOUND);
                    return refused(error);
                }
            }
        }
        let mut split = 0;
        for point in points {
            let what = |what| MongoError::Other { server: self.server.shown().to_owned(), what };
            let command = split_at(&self.database, schema, point, self.bytes).map_err(what)?;
            match self.server.raw_command(ADMIN, "split", command).await {
                Ok(_) => split += 1,
                Err(error) if error.is_passing() => return Err(error),
                // Where a range begins there already. A point that is missing costs nothing but balance.
                Err(_) => {}
            }
        }
        Ok(Sharding::Sharded { split, points: points.len() })
    }
}

fn namespace(database: &str, schema: &Schema) -> String {
    format!("{database}.{}", schema.def.name)
}

fn shard_collection(database: &str, schema: &Schema) -> Document {
    let key: Document = shard_fields(&schema.def).iter().map(|field| ((*field).to_owned(), 1.into())).collect();
    doc! { "shardCollection": namespace(database, schema), "key": key }
}

fn split_at(database: &str, schema: &Schema, point: &Fields, bytes: BytesAs) -> Result<RawDocumentBuf, String> {
    let mut middle = RawDocumentBuf::new();
    for field in schema.fields().take(shard_fields(&schema.def).len()) {
        let value = point.get(field.name).ok_or_else(|| format!("a shard key has no {}", field.name))?;
        append(&mut middle, field.name, to_value(&field.kind, value, bytes)?)?;
    }
    let mut command = RawDocumentBuf::new();
    append(&mut command, "split", RawBson::String(namespace(database, schema)))?;
    append(&mut command, "middle", RawBson::Document(middle))?;
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::export::mongo::{MongoServer, MongoUri, responder::Responder};
    use bson::{Binary, Bson, spec::BinarySubtype};
    use lucid_storage::schema_of;
    use lucid_types::Value;
    use std::{borrow::Cow, fs, os::unix::fs::PermissionsExt};

    async fn target(responder: &Responder, hex: bool) -> MongoTarget {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), responder.uri()).unwrap();
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o600)).unwrap();
        let uri = MongoUri::read(file.path(), None).unwrap();
        let mut target = MongoTarget::new(MongoServer::new(&uri).await.unwrap(), "lucid".to_owned(), hex);
        target.greet().await.unwrap();
        target
    }

    fn point(fields: &[(&'static str, Value)]) -> Fields {
        Fields(fields.iter().map(|(name, value)| (Cow::Borrowed(*name), value.clone())).collect())
    }

    #[tokio::test]
    async fn a_router_is_told_to_shard_a_collection_and_where_to_split_it() {
        let responder = Responder::start(|_| doc! { "ok": 1 });
        let mut target = target(&responder, false).await;
        let points = [(7, 5), (8, 0)]
            .map(|(byte, idx)| point(&[("session_id", Value::Uuid([byte; 16])), ("idx", Value::Int(idx))]));
        let done = target.shard(schema_of("chunks").unwrap(), &points).await.unwrap();
        assert_eq!(done, Sharding::Sharded { split: 2, points: 2 });
        let uuid = |byte| Bson::Binary(Binary { subtype: BinarySubtype::Uuid, bytes: vec![byte; 16] });
        let expected = [
            doc! { "enableSharding": "lucid" },
            doc! { "shardCollection": "lucid.chunks", "key": { "session_id": 1, "idx": 1 } },
            doc! { "split": "lucid.chunks", "middle": { "session_id": uuid(7), "idx": 5_i64 } },
            doc! { "split": "lucid.chunks", "middle": { "session_id": uuid(8), "idx": 0_i64 } },
        ];
        let told = responder.told();
        assert_eq!(told.len(), expected.len());
        for (told, mut expected) in told.into_iter().zip(expected) {
            expected.insert("$db", "admin");
            assert_eq!(told, expected);
        }
        assert_eq!(target.shard(schema_of("sessions").unwrap(), &[]).await.unwrap(), Sharding::None);
        assert_eq!(responder.told().len(), 4, "a collection that is not divided");
    }

    #[tokio::test]
    async fn hex_text_is_hex_text_in_a_shard_key_too() {
        let responder = Responder::start(|_| doc! { "ok": 1 });
        let mut target = target(&responder, true).await;
        let points = [point(&[("slot", Value::Int(9)), ("nodeId", Value::Bytes(vec![0xab; 20]))])];
        target.shard(schema_of("task_proofs").unwrap(), &points).await.unwrap();
        let split = responder.told().pop().unwrap();
        let middle = doc! { "slot": 9_i64, "nodeId": format!("0x{}", "ab".repeat(20)) };
        assert_eq!(split.get_document("middle").unwrap(), &middle);
    }

    /// What says that it is a router and knows no such command is written to unsharded, and without shard keys.
    #[tokio::test]
    async fn an_export_goes_on_where_a_server_cannot_shard() {
        let responder = Responder::start(|command| match command.contains_key("enableSharding") {
            true => doc! { "ok": 0, "code": 59, "codeName": "CommandNotFound", "errmsg": "no such command" },
            false => doc! { "ok": 1, "n": 1 },
        });
        let mut target = target(&responder, false).await;
        let Sharding::Refused(why) = target.shard(schema_of("chunks").unwrap(), &[]).await.unwrap() else {
            panic!("it was not refused")
        };
        assert!(why.contains("59 CommandNotFound"), "{why}");
        assert!(!target.shards);
        assert_eq!(target.shard(schema_of("chunks").unwrap(), &[]).await.unwrap(), Sharding::None);
        assert_eq!(responder.told().len(), 1);
    }

    #[tokio::test]
    async fn what_is_sharded_and_split_already_is_no_failure() {
        let responder = Responder::start(|command| match command.keys().next().unwrap().as_str() {
            "shardCollection" => doc! { "ok": 0, "code": 23, "codeName": "AlreadyInitialized", "errmsg": "sharded" },
            "split" => doc! { "ok": 0, "code": 8, "codeName": "UnknownError", "errmsg": "is a boundary key" },
            _ => doc! { "ok": 1 },
        });
        let mut target = target(&responder, false).await;
        let points = [point(&[("session_id", Value::Uuid([7; 16])), ("idx", Value::Int(1))])];
        let done = target.shard(schema_of("chunks").unwrap(), &points).await.unwrap();
        assert_eq!(done, Sharding::Sharded { split: 0, points: 1 });
    }
}
