//! The contracts' interfaces as Rust types: calls, answers, events and errors. What each means and when it reverts
//! is said in the Solidity sources, in `contracts/`; a test holds every selector against the artefacts.
#![allow(missing_docs, reason = "the members are documented where they are implemented")]

use alloy_sol_types::sol;

sol! {
    /// Sessions and their Merkle roots, single use per registering account.
    #[derive(Debug, PartialEq, Eq)]
    contract LucidAnchors {
        event ChunkAnchored(
            bytes32 indexed sessionId,
            address indexed account,
            uint32 index,
            bytes32 chunkHash
        );
        event SessionRegistered(
            bytes32 indexed sessionId,
            bytes32 indexed merkleRoot,
            address indexed account,
            address owner,
            bytes32 manifestHash,
            uint64 startedAt,
            uint32 chunkCount
        );

        function MAX_CHUNK_COUNT() external view returns (uint32);
        function anchorChunk(bytes32 sessionId, uint32 index, bytes32 chunkHash) external;
        function chunkCountOf(address account, bytes32 sessionId) external view returns (uint32);
        function isChunkAnchored(address account, bytes32 sessionId, uint32 index) external view returns (bool);
        function registerSession(
            bytes32 sessionId,
            bytes32 manifestHash,
            uint64 startedAt,
            address owner,
            bytes32 merkleRoot,
            uint32 chunkCount
        ) external;
        function session(
            address account,
            bytes32 sessionId
        ) external view returns (address owner, uint64 startedAt, uint32 chunkCount);
        function sessionOfRoot(address account, bytes32 merkleRoot) external view returns (bytes32);

        error ChunkAlreadyWritten(bytes32 sessionId, uint32 index);
        error ChunkIndexOutOfRange(bytes32 sessionId, uint256 index, uint32 chunkCount);
        error InvalidSessionId(bytes32 sessionId);
        error MerkleRootAlreadyRegistered(address account, bytes32 merkleRoot, bytes32 sessionId);
        error SessionAlreadyRegistered(address account, bytes32 sessionId);
        error TooManyChunks(uint32 chunkCount, uint32 maximum);
        error UnknownSession(address account, bytes32 sessionId);
        error ZeroValue(string field);
    }

    /// Metadata and status of encrypted chunks, written by the account that registered their session.
    #[derive(Debug, PartialEq, Eq)]
    contract LucidChunkStore {
        enum ChunkStatus { Pending, Stored, Verified, Replicated, Missing, Corrupted, Archived }

        struct ChunkMetadata {
            bytes32 sessionId;
            uint32 index;
            bytes32 ciphertextSha256;
            uint64 sizeBytes;
        }

        event ChunkStatusUpdated(
            bytes32 indexed sessionId,
            address indexed account,
            uint32 index,
            ChunkStatus status
        );
        event ChunkStored(
            bytes32 indexed sessionId,
            address indexed account,
            uint32 index,
            bytes32 ciphertextSha256,
            uint64 sizeBytes
        );

        function ANCHORS() external view returns (address);
        function MAX_SIZE_BYTES() external view returns (uint64);
        function isChunkStored(address account, bytes32 sessionId, uint32 index) external view returns (bool);
        function storeChunk(ChunkMetadata calldata chunk) external;
        function storeChunks(ChunkMetadata[] calldata chunks) external;
        function storeRun(
            bytes32 sessionId,
            uint32 firstIndex,
            bytes32[] calldata hashes,
            uint64[] calldata sizes
        ) external;
        function updateChunkStatus(bytes32 sessionId, uint32 index, ChunkStatus status) external;

        error ChunkAlreadyWritten(bytes32 sessionId, uint32 index);
        error ChunkIndexOutOfRange(bytes32 sessionId, uint256 index, uint32 chunkCount);
        error ChunkNotStored(bytes32 sessionId, uint32 index);
        error ChunkSizeOutOfRange(uint32 index, uint256 sizeBytes, uint64 maximum);
        error EmptyBatch();
        error LengthMismatch(uint256 hashes, uint256 sizes);
        error UnknownSession(address account, bytes32 sessionId);
        error ZeroValue(string field);
    }

    /// Members, candidates, pools, and batches of task proofs.
    #[derive(Debug, PartialEq, Eq)]
    contract LucidNodes {
        enum Standing { Unknown, Candidate, Member, Former }

        struct NodeInfo {
            address node;
            Standing standing;
            uint32 number;
            address operator;
            bytes consensusKey;
            address pool;
            address requestedPool;
            uint32 ballot;
            uint16 votes;
        }

        event AdmissionVoted(
            address indexed node,
            address indexed voter,
            uint32 indexed ballot,
            uint16 votes,
            uint256 members
        );
        event NodeAdmitted(address indexed node, uint256 members);
        event NodeLeft(address indexed node, bool wasMember);
        event NodeRegistered(
            address indexed node,
            address indexed operator,
            uint32 indexed number,
            uint32 ballot,
            bytes consensusKey,
            string endpoint
        );
        event NodeRemoved(address indexed node, uint256 members);
        event PoolJoined(address indexed node, address indexed pool);
        event PoolLeft(address indexed node, address indexed pool, bool wasMember);
        event PoolRequested(address indexed node, address indexed pool);
        event RemovalVoted(
            address indexed node,
            address indexed voter,
            uint32 indexed ballot,
            uint16 votes,
            uint256 members
        );
        event TaskProofsSubmitted(address indexed submitter, bytes proofs);

        function MAX_ENDPOINT_BYTES() external view returns (uint256);
        function MAX_MEMBERS() external view returns (uint256);
        function REGISTRATION_DOMAIN() external view returns (bytes16);
        function TASK_PROOF_BYTES() external view returns (uint256);
        function acceptIntoPool(address node) external;
        function chainSpecHash() external view returns (bytes32);
        function hasVoted(address node, uint32 ballot, address voter) external view returns (bool);
        function isPool(address account) external view returns (bool);
        function joinPool(address pool) external;
        function leavePool() external;
        function leaveRegistry() external;
        function memberCount() external view returns (uint256);
        function members() external view returns (NodeInfo[] memory infos);
        function nodeInfo(address account) external view returns (NodeInfo memory);
        function nodeOfConsensusKey(address signer) external view returns (address);
        function register(
            address operator,
            bytes calldata consensusKey,
            string calldata endpoint,
            bytes calldata signature
        ) external;
        function registrationDigest(address account, address operator) external view returns (bytes32);
        function registrations() external view returns (uint32);
        function submitTaskProofs(bytes calldata proofs) external;
        function validatorsNeeded() external view returns (uint32);
        function voteToAdmit(address node, uint32 ballot) external;
        function voteToRemove(address node, uint32 ballot) external;

        error AccountIsNode(address account);
        error AccountIsPool(address account);
        error AlreadyInPool(address node, address pool);
        error AlreadyVoted(address node, uint32 ballot, address voter);
        error BallotClosed(address node, uint32 ballot, uint32 current);
        error ConsensusKeyIsAccountKey(address account);
        error ConsensusKeyUsed(address signer, address node);
        error EndpointTooLong(uint256 length, uint256 maximum);
        error InvalidKeyLength(uint256 length);
        error InvalidProofBatch(uint256 length, uint256 recordLength);
        error InvalidProofOfPossession(address signer, bytes32 digest);
        error NotAMember(address account);
        error NotInPool(address node);
        error PoolNotRequested(address node, address requested);
        error TooFewMembers(uint256 members, uint32 needed);
        error TooManyMembers(uint256 maximum);
        error WrongStanding(address node, Standing standing);
        error ZeroValue(string field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_primitives::{hex, keccak256};
    use alloy_sol_types::{SolCall, SolInterface};
    use serde_json::Value;
    use std::collections::BTreeSet;

    /// A type as it enters a signature: a struct is the tuple of its members.
    fn canonical(parameter: &Value) -> String {
        let name = parameter["type"].as_str().unwrap();
        match name.strip_prefix("tuple") {
            Some(array) => format!("({}){array}", list(&parameter["components"])),
            None => name.to_owned(),
        }
    }

    fn list(parameters: &Value) -> String {
        parameters.as_array().unwrap().iter().map(canonical).collect::<Vec<_>>().join(",")
    }

    /// Hashes of the signatures of one kind in an artefact.
    fn hashes(artefact: &str, kind: &str) -> BTreeSet<[u8; 32]> {
        let artefact: Value = serde_json::from_str(artefact).unwrap();
        let entries = artefact["abi"].as_array().unwrap().iter().filter(|entry| entry["type"] == kind);
        entries
            .map(|entry| keccak256(format!("{}({})", entry["name"].as_str().unwrap(), list(&entry["inputs"]))).0)
            .collect()
    }

    fn selectors(artefact: &str, kind: &str) -> BTreeSet<[u8; 4]> {
        hashes(artefact, kind).iter().map(|hash| [hash[0], hash[1], hash[2], hash[3]]).collect()
    }

    /// Selectors of calls and errors and first topics of events, as an artefact and as the types above have them.
    macro_rules! assert_same_interface {
        ($calls:ty, $errors:ty, $events:ty, $artefact:literal) => {{
            let artefact = include_str!($artefact);
            assert_eq!(<$calls>::selectors().collect::<BTreeSet<_>>(), selectors(artefact, "function"));
            assert_eq!(<$errors>::selectors().collect::<BTreeSet<_>>(), selectors(artefact, "error"));
            assert_eq!(<$events>::SELECTORS.iter().copied().collect::<BTreeSet<_>>(), hashes(artefact, "event"));
        }};
    }

    #[test]
    fn interfaces_are_those_of_the_artefacts() {
        assert_same_interface!(
            LucidAnchors::LucidAnchorsCalls,
            LucidAnchors::LucidAnchorsErrors,
            LucidAnchors::LucidAnchorsEvents,
            "../../../contracts/artefacts/LucidAnchors.json"
        );
        assert_same_interface!(
            LucidChunkStore::LucidChunkStoreCalls,
            LucidChunkStore::LucidChunkStoreErrors,
            LucidChunkStore::LucidChunkStoreEvents,
            "../../../contracts/artefacts/LucidChunkStore.json"
        );
        assert_same_interface!(
            LucidNodes::LucidNodesCalls,
            LucidNodes::LucidNodesErrors,
            LucidNodes::LucidNodesEvents,
            "../../../contracts/artefacts/LucidNodes.json"
        );
    }

    #[test]
    fn selectors_that_other_programs_have_built_in() {
        assert_eq!(LucidAnchors::registerSessionCall::SELECTOR, hex!("87fc3557"));
        assert_eq!(LucidAnchors::anchorChunkCall::SELECTOR, hex!("ec59d2bc"));
    }
}
