//! Whatever is asked, the answer is that of a naive look at every document as JSON.

use super::*;
use crate::{
    AnchoringStatus, Batch, ChunkKey, ChunkRecord, ChunkStatus, Chunks, ConsensusEventRecord, ConsensusEvents,
    EventVote, Meta, Options, SessionAnchoringRecord, SessionAnchorings, Snapshot, Store, TaskProofKey,
    TaskProofRecord, TaskProofType, TaskProofs, TaskValue,
    query::{filter::Filter, order::Order},
    samples::{Sample, address, anchoring, hash, session},
};
use lucid_types::Value;
use proptest::{prelude::*, sample::select, test_runner::TestCaseResult};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

const COLLECTIONS: [&str; 4] = ["chunks", "task_proofs", "session_anchorings", "consensus_events"];

/// Numbers from which a document is made; few different ones, so that documents have much in common.
type Seeds = [u8; 6];

fn put(batch: &mut Batch, collection: &str, seeds: Seeds) {
    let [a, b, c, d, e, f] = seeds;
    match collection {
        "chunks" => {
            let key = ChunkKey { session_id: session(a + 1), idx: b.into(), account: address(c) };
            let record = ChunkRecord {
                local_path: (d > 0).then(|| ["", "/a", "/ab", "/b\0c"][usize::from(d)].to_owned()),
                ciphertext_sha256: hash(e),
                size_bytes: f.into(),
                status: ChunkStatus::ALL[usize::from(e)],
            };
            batch.put::<Chunks>(&key, &record).unwrap();
        }
        "task_proofs" => {
            let kind = TaskProofType::ALL[usize::from(c % 3)];
            let key = TaskProofKey { slot: a.into(), node_id: address(b), kind };
            let value = match kind {
                TaskProofType::RelayBandwidth => {
                    TaskValue::Relay { bytes_transferred: d.into(), sessions_relayed: e.into() }
                }
                TaskProofType::StorageAvailability => {
                    TaskValue::Storage { chunks_stored: d.into(), size_bytes: e.into() }
                }
                TaskProofType::UptimeBeacon => TaskValue::Uptime { uptime_seconds: d.into() },
            };
            let record =
                TaskProofRecord { pool_id: (f > 0).then(|| address(f)), value, ts: e.into(), ..Sample::sample() };
            batch.put::<TaskProofs>(&key, &record).unwrap();
        }
        "session_anchorings" => {
            let record = SessionAnchoringRecord {
                session_id: session(a + 1),
                account: address(b),
                user_id: (c > 0).then(|| ["", "ann", "anna", "bob"][usize::from(c)].to_owned()),
                status: AnchoringStatus::ALL[usize::from(d)],
                transaction_id: (e > 0).then(|| hash(e)),
                attempts: f.into(),
                ..Sample::sample()
            };
            batch.put::<SessionAnchorings>(&anchoring(a * 16 + b + 1), &record).unwrap();
        }
        _ => {
            let vote = |n: u8| EventVote {
                voter: address(n),
                approve: n.is_multiple_of(2),
                reason: (n > 1).then(|| ["late", "bad"][usize::from(n % 2)].to_owned()),
            };
            let record = ConsensusEventRecord {
                event_type: ["block", "epoch", "blocks", "a"][usize::from(a)].to_owned(),
                target_id: b.to_string(),
                round_number: c.into(),
                participants: (0..d).map(address).collect(),
                votes: (0..e).map(vote).collect(),
                result: (f > 1).then(|| "approved".to_owned()),
                ended_at: (f > 2).then_some(u64::from(f)),
                started_at: f.into(),
                ..Sample::sample()
            };
            batch.put::<ConsensusEvents>(&u64::from(a * 16 + b * 4 + c), &record).unwrap();
        }
    }
}

fn store_of(collection: &str, documents: &[Seeds]) -> (tempfile::TempDir, Snapshot) {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    for seeds in documents {
        put(&mut batch, collection, *seeds);
    }
    store.commit(batch).unwrap();
    let snapshot = store.snapshot().unwrap();
    (folder, snapshot)
}

/// Fields, each with values that some documents have, and one that none has.
fn fields(collection: &str) -> Vec<(&'static str, Vec<Json>)> {
    let numbers = || (0..5).map(Json::from).collect::<Vec<_>>();
    let addresses = || (0..5).map(|n| json!(address(n))).collect::<Vec<_>>();
    let hashes = || (0..5).map(|n| json!(hash(n))).collect::<Vec<_>>();
    let sessions = || (1..6).map(|n| json!(session(n))).collect::<Vec<_>>();
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect::<Vec<_>>();
    match collection {
        "chunks" => vec![
            ("session_id", sessions()),
            ("idx", numbers()),
            ("account", addresses()),
            ("local_path", texts(&["/a", "/ab", "/b\0c", "/c"])),
            ("ciphertext_sha256", hashes()),
            ("size_bytes", numbers()),
            ("status", texts(&["pending", "stored", "verified", "nonsense"])),
        ],
        "task_proofs" => vec![
            ("slot", numbers()),
            ("nodeId", addresses()),
            ("type", texts(&["relay_bandwidth", "storage_availability", "uptime_beacon"])),
            ("poolId", addresses()),
            ("value.size_bytes", numbers()),
            ("value.uptime_seconds", numbers()),
            ("ts", numbers()),
        ],
        "session_anchorings" => vec![
            ("session_id", sessions()),
            ("user_id", texts(&["ann", "anna", "bob", "x"])),
            ("status", texts(&["pending", "processing", "confirmed", "failed"])),
            ("transaction_id", hashes()),
            ("attempts", numbers()),
        ],
        _ => vec![
            ("event_id", (0..60).step_by(7).map(Json::from).collect()),
            ("event_type", texts(&["block", "blocks", "epoch"])),
            ("target_id", texts(&["0", "1", "2"])),
            ("round_number", numbers()),
            ("participants", addresses()),
            ("votes.voter", addresses()),
            ("votes.reason", texts(&["late", "bad"])),
            ("result", texts(&["approved"])),
            ("started_at", numbers()),
            ("ended_at", numbers()),
        ],
    }
}

fn field_test(collection: &'static str) -> impl Strategy<Value = Json> {
    let fields = fields(collection);
    let is_text = |name: &str| {
        ["local_path", "user_id", "event_type", "target_id", "result", "votes.reason", "status", "type"].contains(&name)
    };
    select(fields).prop_flat_map(move |(name, values)| {
        let value = || select(values.clone());
        let list = || prop::collection::vec(prop_oneof![8 => value(), 1 => Just(Json::Null)], 0..4);
        let prefixes =
            ["^", "^a", "^an", "^bl", "^/", "^/a", "^s", "^p"].map(|text| json!({ "$regex": text })).to_vec();
        let bound = select(vec!["$gt", "$gte", "$lt", "$lte"]);
        let test = prop_oneof![
            3 => value(),
            1 => Just(Json::Null),
            1 => value().prop_map(|value| json!({ "$eq": value })),
            1 => prop_oneof![value(), Just(Json::Null)].prop_map(|value| json!({ "$ne": value })),
            3 => (bound.clone(), value()).prop_map(|(word, value)| json!({ word: value })),
            2 => (value(), value()).prop_map(|(from, to)| json!({ "$gte": from, "$lt": to })),
            2 => list().prop_map(|values| json!({ "$in": values })),
            1 => list().prop_map(|values| json!({ "$nin": values })),
            1 => any::<bool>().prop_map(|flag| json!({ "$exists": flag })),
            1 => (bound, value()).prop_map(|(word, value)| json!({ "$not": { word: value } })),
            2 => select(if is_text(name) { prefixes.clone() } else { values.clone() }),
        ];
        test.prop_map(move |test| json!({ name: test }))
    })
}

fn filter(collection: &'static str) -> impl Strategy<Value = Json> {
    let one = field_test(collection);
    let several = prop::collection::vec(field_test(collection), 0..4).prop_map(|tests| {
        // As people write them: members of one object, where no name comes twice.
        let mut all = serde_json::Map::new();
        for test in tests {
            all.extend(test.as_object().unwrap().clone());
        }
        Json::Object(all)
    });
    let leaf = prop_oneof![2 => one, 3 => several];
    leaf.prop_recursive(2, 12, 3, |inner| {
        (select(vec!["$and", "$or", "$nor"]), prop::collection::vec(inner, 1..3))
            .prop_map(|(word, filters)| json!({ word: filters }))
    })
}

fn sort(collection: &'static str) -> impl Strategy<Value = Json> {
    let names: Vec<&str> = fields(collection).iter().map(|(name, _)| *name).collect();
    let names: Vec<_> =
        names.into_iter().filter(|name| !name.starts_with("votes") && *name != "participants").collect();
    prop::collection::vec((select(names), select(vec![1, -1])), 0..3).prop_map(|members| {
        Json::Object(members.into_iter().map(|(name, direction)| (name.to_owned(), direction.into())).collect())
    })
}

/// What a naive reader makes of a filter.
mod naive {
    use super::*;
    use std::cmp::Ordering;

    /// All that a document has under a path: each value of a list, and null for what is not there.
    pub(super) fn under<'a>(document: &'a Json, path: &str) -> Vec<&'a Json> {
        let (first, rest) = path.split_once('.').map_or((path, None), |(first, rest)| (first, Some(rest)));
        let Some(value) = document.get(first) else { return vec![&Json::Null] };
        match (value, rest) {
            (Json::Array(values), None) => values.iter().chain([value]).collect(),
            (Json::Array(values), Some(_)) if values.is_empty() => vec![&Json::Null],
            (Json::Array(values), Some(rest)) => values.iter().flat_map(|value| under(value, rest)).collect(),
            (value, None) => vec![value],
            (value, Some(rest)) => under(value, rest),
        }
    }

    pub(super) fn compare(one: &Json, other: &Json) -> Ordering {
        match (one, other) {
            (Json::Number(one), Json::Number(other)) => one.as_i64().cmp(&other.as_i64()),
            (Json::String(one), Json::String(other)) => one.cmp(other),
            (one, other) => (!one.is_null()).cmp(&!other.is_null()),
        }
    }

    fn passes(values: &[&Json], word: &str, operand: &Json) -> bool {
        let any = |test: &dyn Fn(&Json) -> bool| values.iter().any(|value| test(value));
        let is =
            |wanted: Ordering| any(&|value| !value.is_null() && !value.is_array() && compare(value, operand) == wanted);
        match word {
            "$eq" => any(&|value| value == operand),
            "$ne" => !passes(values, "$eq", operand),
            "$gt" => is(Ordering::Greater),
            "$gte" => is(Ordering::Greater) || is(Ordering::Equal),
            "$lt" => is(Ordering::Less),
            "$lte" => is(Ordering::Less) || is(Ordering::Equal),
            "$in" => operand.as_array().unwrap().iter().any(|operand| passes(values, "$eq", operand)),
            "$nin" => !passes(values, "$in", operand),
            "$exists" => any(&|value| !value.is_null()) == operand.as_bool().unwrap(),
            "$regex" => {
                any(&|value| value.as_str().is_some_and(|text| text.starts_with(&operand.as_str().unwrap()[1..])))
            }
            "$not" => !tests(values, operand),
            _ => panic!("{word}"),
        }
    }

    fn tests(values: &[&Json], test: &Json) -> bool {
        match test {
            Json::Object(words) => words.iter().all(|(word, operand)| passes(values, word, operand)),
            value => passes(values, "$eq", value),
        }
    }

    pub(super) fn matches(document: &Json, filter: &Json) -> bool {
        filter.as_object().unwrap().iter().all(|(name, test)| {
            let each = || test.as_array().unwrap().iter().map(|filter| matches(document, filter));
            match name.as_str() {
                "$and" => each().all(|matched| matched),
                "$or" => each().any(|matched| matched),
                "$nor" => !each().any(|matched| matched),
                name => tests(&under(document, name), test),
            }
        })
    }
}

fn spec(sort: &Json) -> SortSpec {
    serde_json::from_value(sort.clone()).unwrap()
}

fn as_json(documents: &[lucid_types::Document]) -> Vec<Json> {
    documents.iter().map(|document| serde_json::to_value(document).unwrap()).collect()
}

fn all_documents(snapshot: &Snapshot, collection: &str) -> Vec<Json> {
    let options = FindOptions { limit: Some(MAX_LIMIT), ..FindOptions::default() };
    as_json(&find(snapshot, collection, &json!({}), &options).unwrap().documents)
}

/// All pages, one after the other.
fn paged(snapshot: &Snapshot, collection: &str, filter: &Json, sort: &Json, page: u64) -> Vec<Json> {
    let mut options = FindOptions { sort: Some(spec(sort)), limit: Some(page), ..FindOptions::default() };
    let mut documents = Vec::new();
    loop {
        let found = find(snapshot, collection, filter, &options).unwrap();
        assert!(found.documents.len() as u64 <= page);
        documents.extend(as_json(&found.documents));
        match found.cursor {
            Some(cursor) => options.cursor = Some(cursor),
            None => return documents,
        }
    }
}

fn by_id(mut documents: Vec<Json>) -> Vec<Json> {
    documents.sort_by_key(|document| document["_id"].to_string());
    documents
}

/// The documents in the order that is asked for, in which the naive reader leaves open what their keys decide.
fn holds_order(documents: &[Json], sort: &Json) -> TestCaseResult {
    let of = |document: &Json, name: &str| (*naive::under(document, name)[0]).clone();
    for pair in documents.windows(2) {
        for (name, direction) in sort.as_object().unwrap() {
            let order = naive::compare(&of(&pair[0], name), &of(&pair[1], name));
            let order = if direction.as_i64() == Some(-1) { order.reverse() } else { order };
            prop_assert!(order.is_le(), "{} by {}", name, sort);
            if order.is_lt() {
                break;
            }
        }
    }
    Ok(())
}

/// A filter, an order, and how many documents a page has.
type Asked = (Json, Json, u64);

fn case() -> impl Strategy<Value = (&'static str, Vec<Seeds>, Vec<Asked>)> {
    select(&COLLECTIONS[..]).prop_flat_map(|collection| {
        let documents = prop::collection::vec(prop::array::uniform6(0u8..4), 0..40);
        let queries = prop::collection::vec((filter(collection), sort(collection), 1u64..20), 8);
        (Just(collection), documents, queries)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_answer_is_that_of_a_naive_scan((collection, documents, queries) in case()) {
        let (_folder, snapshot) = store_of(collection, &documents);
        let all = all_documents(&snapshot, collection);
        for (filter, sort, page) in queries {
            let wanted: Vec<_> = all.iter().filter(|document| naive::matches(document, &filter)).cloned().collect();
            let found = paged(&snapshot, collection, &filter, &sort, page);
            holds_order(&found, &sort)?;
            let whole = paged(&snapshot, collection, &filter, &sort, MAX_LIMIT);
            prop_assert_eq!(&found, &whole, "pages of {} for {} by {}", page, filter, sort);
            prop_assert_eq!(by_id(found), by_id(wanted.clone()), "{} by {}", filter, sort);
            let counted = count(&snapshot, collection, &filter).unwrap();
            prop_assert_eq!(counted, wanted.len() as u64, "count of {}", filter);
            let (name, _) = &fields(collection)[usize::try_from(page).unwrap() % fields(collection).len()];
            let mut values: Vec<Json> =
                wanted.iter().flat_map(|document| naive::under(document, name)).filter(|v| !v.is_null() && !v.is_array()).cloned().collect();
            values.sort_by(naive::compare);
            values.dedup();
            let mut distinct = distinct(&snapshot, collection, name, &filter).unwrap();
            distinct.sort();
            let distinct: Vec<_> = distinct.iter().map(|value| serde_json::to_value(value).unwrap()).collect();
            prop_assert_eq!(distinct, values, "values of {} for {}", name, filter);
        }
    }

    #[test]
    fn the_way_that_is_taken_changes_nothing((collection, documents, queries) in case()) {
        let (_folder, snapshot) = store_of(collection, &documents);
        let schema = schema_of(collection).unwrap();
        for (filter_json, sort, _) in queries {
            let (filter, order) = (Filter::parse(schema, &filter_json).unwrap(), Order::parse(schema, &spec(&sort)).unwrap());
            let ways = plan::ways(&snapshot, schema, &filter, &order, 10).unwrap();
            let mut answers = Vec::new();
            for way in &ways {
                let mut walk = walk::Walk::new(&snapshot, schema, way, None).unwrap();
                let mut rows = Vec::new();
                while let Some(met) = walk.next_match(&filter).unwrap() {
                    rows.push((order.values(&met.values), met.row_key));
                }
                let sorted = |mut rows: Vec<(Vec<Value>, Vec<u8>)>| {
                    rows.sort_by(|one, other| order.compare((&one.0, &one.1), (&other.0, &other.1)));
                    rows
                };
                if way.in_order && !order.is_empty() {
                    prop_assert_eq!(&rows, &sorted(rows.clone()), "{} by {} along {}", filter_json, sort, way.fields);
                }
                if way.covered {
                    let mut walk = walk::Walk::new(&snapshot, schema, way, None).unwrap();
                    let counted = walk.count_entries(&filter).unwrap();
                    prop_assert_eq!(counted, rows.len() as u64, "{} along {}", filter_json, way.fields);
                }
                answers.push(sorted(rows));
            }
            for answer in &answers {
                prop_assert_eq!(answer, &answers[0], "{}", filter_json);
            }
        }
    }

    #[test]
    fn groups_are_those_of_a_naive_scan((collection, documents, queries) in case()) {
        let (_folder, snapshot) = store_of(collection, &documents);
        let all = all_documents(&snapshot, collection);
        let (by, number) = match collection {
            "chunks" => ("status", "size_bytes"),
            "task_proofs" => ("poolId", "value.size_bytes"),
            "session_anchorings" => ("user_id", "attempts"),
            _ => ("event_type", "round_number"),
        };
        for (filter, ..) in queries {
            let field = format!("${number}");
            let group = json!({ "_id": format!("${by}"), "n": { "$count": {} }, "sum": { "$sum": field },
                "min": { "$min": field }, "max": { "$max": field }, "avg": { "$avg": field } });
            let pipeline = json!([{ "$match": filter }, { "$group": group }, { "$sort": { "_id": 1 } }]);
            let found = as_json(&aggregate(&snapshot, collection, &serde_json::from_value(pipeline).unwrap()).unwrap());
            let mut groups: BTreeMap<Option<String>, Vec<Option<i64>>> = BTreeMap::new();
            for document in all.iter().filter(|document| naive::matches(document, &filter)) {
                let key = naive::under(document, by)[0].as_str().map(str::to_owned);
                groups.entry(key).or_default().push(naive::under(document, number)[0].as_i64());
            }
            let wanted: Vec<Json> = groups.into_iter().map(|(key, all)| {
                let numbers: Vec<i64> = all.iter().flatten().copied().collect();
                let sum: i64 = numbers.iter().sum();
                let avg = (!numbers.is_empty()).then(|| sum as f64 / numbers.len() as f64);
                json!({ "_id": key, "n": all.len(), "sum": sum, "min": numbers.iter().min(),
                    "max": numbers.iter().max(), "avg": avg })
            }).collect();
            prop_assert_eq!(found, wanted, "{}", filter);
        }
    }
}

fn some_chunks() -> (tempfile::TempDir, Snapshot) {
    let documents: Vec<Seeds> = (0..64).map(|n| [n / 16, n / 4 % 4, n % 4, n % 4, n % 3, n % 4]).collect();
    store_of("chunks", &documents)
}

#[test]
fn a_query_says_which_way_it_took() {
    let (_folder, snapshot) = some_chunks();
    let explained = |filter: Json, sort: Json| {
        let options = FindOptions { sort: Some(spec(&sort)), explain: true, ..FindOptions::default() };
        find(&snapshot, "chunks", &filter, &options).unwrap().explained.unwrap()
    };
    let one = explained(json!({ "session_id": session(2), "idx": { "$lt": 2 } }), json!({}));
    assert_eq!((one.way.by, one.way.narrowed_fields, one.way.ranges), ("key", 2, 1));
    assert_eq!((one.documents_examined, one.documents_returned, one.sorted_in_memory), (8, 8, false));
    let indexed = explained(json!({ "ciphertext_sha256": hash(1) }), json!({ "size_bytes": -1 }));
    assert_eq!((indexed.way.by, &*indexed.way.fields, indexed.sorted_in_memory), ("index", "ciphertext_sha256", true));
    assert_eq!(indexed.documents_examined, indexed.documents_returned);
    let all = explained(json!({ "size_bytes": 1 }), json!({ "_id": -1 }));
    assert_eq!((all.way.by, all.way.narrowed_fields, all.sorted_in_memory), ("key", 0, false));
    assert_eq!((all.documents_examined, all.documents_returned), (64, 16));
    let several = explained(
        json!({ "_id": { "$in": [format!("{}:1:{}", session(1), address(3)), format!("{}:1:{}", session(9), address(3))] } }),
        json!({}),
    );
    assert_eq!((several.way.by, several.way.ranges, several.documents_returned), ("key", 2, 1));
}

#[test]
fn what_is_malformed_is_named() {
    let (_folder, snapshot) = some_chunks();
    let refused = |collection: &str, filter: Json| {
        let error = find(&snapshot, collection, &filter, &FindOptions::default()).unwrap_err();
        assert!(!matches!(error, QueryError::Store(_)), "{error}");
        error.to_string()
    };
    assert_eq!(refused("chunk", json!({})), "there is no collection chunk; did you mean chunks?");
    assert_eq!(
        refused("chunks", json!({ "sesion_id": 1 })),
        "documents of chunks have no field sesion_id; did you mean session_id?"
    );
    assert_eq!(
        refused("chunks", json!({ "idx": { "$gth": 1 } })),
        "$gth is no word of a field's test; did you mean $gt?"
    );
    assert!(refused("chunks", json!({ "$where": "1" })).starts_with("$where is no word of a filter"));
    assert!(refused("chunks", json!({ "idx": "1" })).starts_with("idx is \"1\", and must be a whole number"));
    assert!(refused("chunks", json!({ "idx": {} })).starts_with("idx is {}, and must be a value"));
    assert!(refused("chunks", json!({ "idx": { "$gt": null } })).starts_with("$gt of idx is null"));
    assert!(refused("chunks", json!({ "idx": { "$in": 1 } })).starts_with("$in is 1, and must be a list"));
    assert!(refused("chunks", json!({ "idx": { "$regex": "^1" } })).contains("must be a whole number"));
    assert!(refused("chunks", json!({ "local_path": { "$regex": "a.*" } })).contains("^ and the letters"));
    assert!(refused("chunks", json!({ "$or": [] })).contains("a list of one filter or more"));
    assert!(refused("chunks", json!([])).starts_with("the filter is [], and must be an object"));
    assert!(refused("chunks", json!({ "local_path.x": 1 })).contains("have no field local_path.x"));
    assert!(refused("chunks", json!({ "_id": 7 })).contains("an _id as documents have it"));
    let many = json!({ "idx": { "$in": vec![1; MAX_IN_VALUES + 1] } });
    assert!(refused("chunks", many).contains("at most 1000 values"));
    let mut deep = json!({ "idx": 1 });
    for _ in 0..20 {
        deep = json!({ "$and": [deep] });
    }
    assert!(refused("chunks", deep).contains("16 deep"));
}

#[test]
fn a_cursor_belongs_to_its_query() {
    let (_folder, snapshot) = some_chunks();
    let page = |filter: Json, sort: Option<Json>, cursor: Option<Vec<u8>>| {
        let options = FindOptions { sort: sort.as_ref().map(spec), cursor, limit: Some(5), ..FindOptions::default() };
        find(&snapshot, "chunks", &filter, &options)
    };
    let first = page(json!({}), None, None).unwrap().cursor.unwrap();
    assert!(page(json!({}), None, Some(first.clone())).is_ok());
    for (filter, sort) in [(json!({ "idx": 1 }), None), (json!({}), Some(json!({ "idx": 1 })))] {
        assert!(matches!(page(filter, sort, Some(first.clone())), Err(QueryError::Cursor("chunks"))));
    }
    let mut other_way = first.clone();
    other_way[1] = 9;
    for token in [other_way, first[..9].to_vec(), vec![], vec![7; 40]] {
        assert!(matches!(page(json!({}), None, Some(token)), Err(QueryError::Cursor("chunks"))));
    }
    // A place in the midst of nowhere is a place all the same.
    let mut elsewhere = first;
    elsewhere.truncate(12);
    assert!(page(json!({}), None, Some(elsewhere)).is_ok());
}

#[test]
fn fields_are_kept_or_left_out() {
    let (_folder, snapshot) = store_of("consensus_events", &[[0, 1, 2, 3, 3, 3]]);
    let projected = |projection: Json| {
        let options = FindOptions { projection: Some(projection), ..FindOptions::default() };
        find(&snapshot, "consensus_events", &json!({}), &options)
            .map(|found| serde_json::to_string(&found.documents[0]).unwrap())
    };
    assert_eq!(projected(json!({ "round_number": 1 })).unwrap(), r#"{"_id":"6","round_number":2}"#);
    assert_eq!(projected(json!({ "_id": 0, "round_number": true })).unwrap(), r#"{"round_number":2}"#);
    assert_eq!(
        projected(json!({ "votes.approve": 1 })).unwrap(),
        r#"{"_id":"6","votes":[{"approve":true},{"approve":false},{"approve":true}]}"#
    );
    assert_eq!(projected(json!({ "_id": 1 })).unwrap(), r#"{"_id":"6"}"#);
    let without = projected(json!({ "votes": 0, "participants": 0, "_id": 0 })).unwrap();
    assert!(!without.contains("voter") && without.contains("target_id"), "{without}");
    assert!(projected(json!({ "votes": 0, "result": 1 })).unwrap_err().to_string().contains("only _id may differ"));
    assert!(projected(json!({ "price": 1 })).unwrap_err().to_string().contains("no field price"));
}

#[test]
fn a_pipeline_out_of_order_is_refused() {
    let (_folder, snapshot) = some_chunks();
    let run = |pipeline: Json| {
        aggregate(&snapshot, "chunks", &serde_json::from_value(pipeline).unwrap()).map(|documents| documents.len())
    };
    assert_eq!(run(json!([])).unwrap(), 64);
    assert_eq!(run(json!([{ "$sort": { "idx": 1 } }, { "$limit": 3 }])).unwrap(), 3);
    let by_two = json!({ "_id": { "s": "$session_id", "i": "$idx" }, "n": { "$sum": 2 } });
    assert_eq!(run(json!([{ "$group": by_two }, { "$sort": { "_id.i": -1, "n": 1 } }])).unwrap(), 16);
    let refused = |pipeline: Json| run(pipeline).unwrap_err().to_string();
    assert!(refused(json!([{ "$limit": 1 }, { "$match": {} }])).contains("in this order"));
    assert!(refused(json!([{ "$lookup": {} }])).starts_with("$lookup is no word of a pipeline"));
    assert!(refused(json!([{ "$group": {} }])).contains("an object with _id"));
    let sum = |operand: &str| json!([{ "$group": { "_id": null, "x": { "$sum": operand } } }]);
    assert!(refused(sum("$status")).contains("a field of numbers"));
    assert!(refused(sum("size_bytes")).contains("a field as"));
    assert!(refused(json!([{ "$group": { "_id": null, "x": { "$push": "$idx" } } }])).contains("$push is no word"));
}

/// More chunks than one query reads. The bounds are what keeps a question from taking the node for itself.
#[test]
fn what_would_read_too_much_is_refused_with_the_indexes_that_there_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    let rows = u32::try_from(MAX_EXAMINED_DOCUMENTS).unwrap() + 1;
    for idx in 0..rows {
        let key = ChunkKey { session_id: session(1), idx, account: address(1) };
        let record = ChunkRecord { size_bytes: idx.into(), ..Sample::sample() };
        batch.append::<Chunks>(&key, &record).unwrap();
    }
    store.commit(batch).unwrap();
    let snapshot = store.snapshot().unwrap();
    let said = count(&snapshot, "chunks", &json!({ "size_bytes": { "$lt": 7 } })).unwrap_err().to_string();
    assert!(said.starts_with("more than 100000 documents of chunks") && said.contains("one by size_bytes"), "{said}");
    assert!(said.ends_with("indexes are on session_id+idx+account, ciphertext_sha256"), "{said}");
    let narrowed = json!({ "session_id": session(1), "idx": { "$lt": 50 }, "size_bytes": { "$lt": 7 } });
    assert_eq!(count(&snapshot, "chunks", &narrowed).unwrap(), 7);
    assert_eq!(
        count(&snapshot, "chunks", &json!({ "session_id": session(1) })).unwrap(),
        u64::from(rows),
        "keys alone"
    );
    assert_eq!(count(&snapshot, "chunks", &json!({})).unwrap(), u64::from(rows));
    let many = distinct(&snapshot, "chunks", "idx", &json!({ "idx": { "$lt": 20_000 }, "session_id": session(1) }));
    assert!(matches!(many, Err(QueryError::TooManyResults)), "more than 10,000 values");
}

#[test]
fn a_page_ends_at_its_bytes_and_an_aggregate_answers_no_part() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::create(folder.path().join("s"), &Meta::new(vec![], hash(0)), &Options::default()).unwrap();
    let mut batch = store.begin().unwrap();
    for id in 1..=30 {
        let record = SessionAnchoringRecord { manifest: vec![b'x'; 100_000], ..Sample::sample() };
        batch.put::<SessionAnchorings>(&anchoring(id), &record).unwrap();
    }
    store.commit(batch).unwrap();
    let snapshot = store.snapshot().unwrap();
    for sort in [json!({}), json!({ "attempts": 1 })] {
        let options = FindOptions { sort: Some(spec(&sort)), ..FindOptions::default() };
        let found = find(&snapshot, "session_anchorings", &json!({}), &options).unwrap();
        assert!((10..=12).contains(&found.documents.len()) && found.cursor.is_some(), "{}", found.documents.len());
        assert_eq!(paged(&snapshot, "session_anchorings", &json!({}), &sort, MAX_LIMIT).len(), 30);
    }
    let limited = serde_json::from_value(json!([{ "$limit": 20 }])).unwrap();
    let refused = aggregate(&snapshot, "session_anchorings", &limited);
    assert!(matches!(refused, Err(QueryError::TooManyResults)));
}
