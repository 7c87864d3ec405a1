//! The macro that turns the page `tables.rs` into table ids, collection and index types, and the lists of them.

/// See `tables.rs` for what it reads.
macro_rules! store_tables {
    (
        collections { $(
            $(#[$doc:meta])*
            $coll:ident $name:literal ($($field:ident),+): $key:ty => $record:ty {
                placement: $placement:expr, origin: $origin:ident $(or $import:ident)?, retention: $retention:expr, writer: $writer:literal,
                order: $order:ident $($sequence:ident)?,
                indexes: [ $($index:ident $fields:literal $($layered:ident)?: $index_key:ty = $found_by:expr;)* ]
            }
        )* }
        internal { $(
            $table:ident $table_name:literal
                $(($table_field:ident): $table_key:ty => $table_record:ty, origin: $table_origin:ident)?,
                writer: $table_writer:literal, $key_doc:literal => $value_doc:literal;
        )* }
    ) => {
        /// A table of the store. The number is not stored; the name is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[expect(missing_docs, reason = "each name is that of a collection, an index or an internal table")]
        pub enum TableId { $($coll, $($sequence,)? $($index,)*)* $($table),* }

        /// Names of all tables, by their ids.
        const TABLE_NAMES: &[&str] = &[
            $($name, $(by_sequence!($sequence $name),)? $(concat!($name, ".by_", $fields),)*)* $($table_name),*
        ];

        /// Of each table that is layered the name of that of its parts, by their ids.
        const LAYERS_NAMES: &[Option<&str>] = &[
            $(None::<&str>, $(no_layers!($sequence),)? $([$(Some(layers!($layered $name $fields)),)? None][0],)*)*
            $(no_layers!($table)),*
        ];

        impl TableId {
            /// Number of tables.
            pub const COUNT: usize = TABLE_NAMES.len();

            /// All tables, by their ids.
            pub const ALL: [Self; Self::COUNT] = [
                $(Self::$coll, $(Self::$sequence,)? $(Self::$index,)*)* $(Self::$table),*
            ];
        }

        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub struct $coll;

            impl Collection for $coll {
                type Key = $key;
                type Record = $record;
                const DEF: CollectionDef = CollectionDef {
                    name: $name,
                    table: TableId::$coll,
                    key_fields: &[$(stringify!($field)),+],
                    by_sequence: [$(Some(TableId::$sequence),)? None][0],
                    indexes: &[$((TableId::$index, $fields)),*],
                    placement: $placement,
                    origin: Origin::$origin,
                    importable: [$(is_import!($import),)? false][0],
                    retention: $retention,
                    order: $order,
                    writer: $writer,
                    version: <$record>::VERSION,
                };
                const INDEXES: &'static [IndexEntry<Self>] = &[$(IndexEntry::of::<$index>()),*];
            }

            $(
                #[doc = concat!("Index of `", $name, "` by `", $fields, "`.")]
                #[derive(Debug, Clone, Copy)]
                pub struct $index;

                impl Index for $index {
                    type Collection = $coll;
                    type Key = $index_key;
                    const TABLE: TableId = TableId::$index;

                    fn key(key: &$key, record: &$record) -> Option<$index_key> {
                        let found_by: fn(&$key, &$record) -> Option<$index_key> = $found_by;
                        found_by(key, record)
                    }
                }
            )*
        )*

        $($(
            #[doc = concat!("The internal table `", $table_name, "`.")]
            #[derive(Debug, Clone, Copy)]
            pub struct $table;

            impl Collection for $table {
                type Key = $table_key;
                type Record = $table_record;
                const DEF: CollectionDef = CollectionDef {
                    name: $table_name,
                    table: TableId::$table,
                    key_fields: &[stringify!($table_field)],
                    by_sequence: None,
                    indexes: &[],
                    placement: Replicated,
                    origin: Origin::$table_origin,
                    importable: false,
                    retention: Forever,
                    order: Appended,
                    writer: $table_writer,
                    version: <$table_record>::VERSION,
                };
                const INDEXES: &'static [IndexEntry<Self>] = &[];
            }
        )?)*

        /// All collections.
        pub const COLLECTIONS: &[CollectionDef] = &[$($coll::DEF),*];

        /// What queries know of each collection.
        pub const SCHEMAS: &[Schema] = &[$(Schema::of::<$coll>()),*];

        /// For each collection its table and the check of its rows against its indexes.
        pub(crate) const COLLECTION_CHECKS: &[(TableId, CollectionCheck)] = &[
            $((TableId::$coll, check_collection::<$coll>),)*
        ];

        /// The pruning of each collection.
        pub(crate) const COLLECTION_PRUNINGS: &[CollectionPruning] = &[$(prune_collection::<$coll>),*];

        /// For each collection its name and the removal of a source from it.
        pub(crate) const COLLECTION_REMOVALS: &[(&str, SourceRemoval)] = &[$(($name, remove_of_source::<$coll>)),*];

        /// For each collection its table and what makes its indexes anew.
        pub(crate) const COLLECTION_REINDEXES: &[(TableId, CollectionReindex)] = &[
            $((TableId::$coll, reindex_collection::<$coll>),)*
        ];

        /// All internal tables.
        pub const INTERNAL_TABLES: &[InternalDef] = &[$(InternalDef {
            name: $table_name,
            table: TableId::$table,
            key: $key_doc,
            value: $value_doc,
            writer: $table_writer,
        }),*];

        /// For each record a name and the stored bytes of its sample: a record without a sample does not compile.
        #[cfg(test)]
        pub(crate) fn sample_values() -> Vec<(&'static str, Vec<u8>)> {
            use crate::samples::stored_sample_of;
            vec![$(($name, stored_sample_of::<$coll, $record>()),)* $($(($table_name, stored_sample_of::<$table, $table_record>()),)?)*]
        }
    };
}

/// Name of the table that leads from sequences to the keys of a collection.
macro_rules! by_sequence {
    ($sequence:ident $name:literal) => {
        concat!($name, ".by_sequence")
    };
}

/// Name of the table of an index's parts. The one word that may follow an index's fields says that there is one.
macro_rules! layers {
    (layered $name:literal $fields:literal) => {
        concat!($name, ".by_", $fields, ".layers")
    };
}

/// A table that is not layered.
macro_rules! no_layers {
    ($table:ident) => {
        None
    };
}

/// The one word that may follow a collection's origin.
macro_rules! is_import {
    (Import) => {
        true
    };
}

pub(crate) use {by_sequence, is_import, layers, no_layers, store_tables};
