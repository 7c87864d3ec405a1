// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ChunkAlreadyWritten, ChunkIndexOutOfRange, UnknownSession, WriteOnceBitmap, ZeroValue} from "./LucidShared.sol";

/// @notice The low 16 bytes of a session id are not zero: an id is a UUID's 16 bytes and then 16 zero bytes.
/// @param sessionId The id given.
error InvalidSessionId(bytes32 sessionId);

/// @notice A session has more chunks than a Merkle tree of height 20 has leaves.
/// @param chunkCount The count given.
/// @param maximum The largest count.
error TooManyChunks(uint32 chunkCount, uint32 maximum);

/// @notice The account has registered a session with this id before.
/// @param account The account.
/// @param sessionId The id.
error SessionAlreadyRegistered(address account, bytes32 sessionId);

/// @notice The account has registered this Merkle root before.
/// @param account The account.
/// @param merkleRoot The root.
/// @param sessionId The session that has it.
error MerkleRootAlreadyRegistered(address account, bytes32 merkleRoot, bytes32 sessionId);

/// @title Anchors of recorded sessions
/// @notice Fixes, per session, the Merkle root over its encrypted chunks. Nothing can be changed or taken back.
/// @dev In genesis at 0x4c55434944000000000000000000000000000001. Ids and roots are single use per registering
/// account, so copying a session from the pool and registering it first takes nothing from its owner: whoever
/// reads a session names the account whose word he takes. Data lives in events; storage holds what prevents
/// duplicates and what a later call must check.
contract LucidAnchors {
    using WriteOnceBitmap for WriteOnceBitmap.Bits;

    /// @notice Leaves of a Merkle tree of height 20, the largest that is anchored.
    uint32 public constant MAX_CHUNK_COUNT = 1 << 20;

    /// @dev What storage keeps of a session: one slot.
    struct Session {
        address owner;
        uint64 startedAt;
        uint32 chunkCount;
    }

    /// @notice A session was anchored.
    /// @param sessionId The UUID's 16 bytes and 16 zero bytes.
    /// @param merkleRoot Root of the BLAKE3 tree over the encrypted chunks.
    /// @param account The account that registered it: the sender.
    /// @param owner Whose session it is, as the account says.
    /// @param manifestHash BLAKE3 of the session's canonical manifest.
    /// @param startedAt When the recording began, as Unix time in seconds.
    /// @param chunkCount Chunks in the session.
    event SessionRegistered(
        bytes32 indexed sessionId,
        bytes32 indexed merkleRoot,
        address indexed account,
        address owner,
        bytes32 manifestHash,
        uint64 startedAt,
        uint32 chunkCount
    );

    /// @notice The hash of a single chunk was anchored.
    /// @param sessionId The session.
    /// @param account The account that registered the session.
    /// @param index The chunk, from 0.
    /// @param chunkHash BLAKE3 of the encrypted chunk.
    event ChunkAnchored(bytes32 indexed sessionId, address indexed account, uint32 index, bytes32 chunkHash);

    mapping(address account => mapping(bytes32 sessionId => Session)) private _sessions;
    mapping(address account => mapping(bytes32 merkleRoot => bytes32 sessionId)) private _sessionOfRoot;
    mapping(address account => mapping(bytes32 sessionId => WriteOnceBitmap.Bits)) private _anchored;

    /// @notice Registers a finished session of the calling account.
    /// @param sessionId The UUID's 16 bytes and then 16 zero bytes; single use per account.
    /// @param manifestHash BLAKE3 of the session's canonical manifest.
    /// @param startedAt When the recording began, as Unix time in seconds.
    /// @param owner Whose session it is.
    /// @param merkleRoot Root of the BLAKE3 tree over the encrypted chunks; single use per account.
    /// @param chunkCount Chunks in the session, 1 to `MAX_CHUNK_COUNT`.
    function registerSession(
        bytes32 sessionId,
        bytes32 manifestHash,
        uint64 startedAt,
        address owner,
        bytes32 merkleRoot,
        uint32 chunkCount
    ) external {
        if (sessionId == 0) revert ZeroValue("sessionId");
        if (manifestHash == 0) revert ZeroValue("manifestHash");
        if (startedAt == 0) revert ZeroValue("startedAt");
        if (owner == address(0)) revert ZeroValue("owner");
        if (merkleRoot == 0) revert ZeroValue("merkleRoot");
        if (chunkCount == 0) revert ZeroValue("chunkCount");
        if (uint128(uint256(sessionId)) != 0) revert InvalidSessionId(sessionId);
        if (chunkCount > MAX_CHUNK_COUNT) revert TooManyChunks(chunkCount, MAX_CHUNK_COUNT);

        Session storage session_ = _sessions[msg.sender][sessionId];
        if (session_.chunkCount != 0) revert SessionAlreadyRegistered(msg.sender, sessionId);
        bytes32 holder = _sessionOfRoot[msg.sender][merkleRoot];
        if (holder != 0) revert MerkleRootAlreadyRegistered(msg.sender, merkleRoot, holder);

        (session_.owner, session_.startedAt, session_.chunkCount) = (owner, startedAt, chunkCount);
        _sessionOfRoot[msg.sender][merkleRoot] = sessionId;
        emit SessionRegistered(sessionId, merkleRoot, msg.sender, owner, manifestHash, startedAt, chunkCount);
    }

    /// @notice Anchors the hash of one chunk of a session that the calling account registered.
    /// @param sessionId The session.
    /// @param index The chunk, below the session's chunk count; written once.
    /// @param chunkHash BLAKE3 of the encrypted chunk.
    function anchorChunk(bytes32 sessionId, uint32 index, bytes32 chunkHash) external {
        if (chunkHash == 0) revert ZeroValue("chunkHash");
        uint32 chunkCount = chunkCountOf(msg.sender, sessionId);
        if (chunkCount == 0) revert UnknownSession(msg.sender, sessionId);
        if (index >= chunkCount) revert ChunkIndexOutOfRange(sessionId, index, chunkCount);
        if (!_anchored[msg.sender][sessionId].set(index)) revert ChunkAlreadyWritten(sessionId, index);
        emit ChunkAnchored(sessionId, msg.sender, index, chunkHash);
    }

    /// @notice A session as storage has it; all zero where the account registered none with this id.
    /// @param account The account that registered it.
    /// @param sessionId Its id.
    /// @return owner Whose session it is.
    /// @return startedAt When the recording began, as Unix time in seconds.
    /// @return chunkCount Chunks in the session.
    function session(address account, bytes32 sessionId)
        external
        view
        returns (address owner, uint64 startedAt, uint32 chunkCount)
    {
        Session storage session_ = _sessions[account][sessionId];
        return (session_.owner, session_.startedAt, session_.chunkCount);
    }

    /// @notice The session that an account anchored with a Merkle root; zero where there is none.
    /// @param account The account that registered it.
    /// @param merkleRoot The root.
    /// @return The session's id.
    function sessionOfRoot(address account, bytes32 merkleRoot) external view returns (bytes32) {
        return _sessionOfRoot[account][merkleRoot];
    }

    /// @notice Whether a chunk's own hash has been anchored.
    /// @param account The account that registered the session.
    /// @param sessionId The session.
    /// @param index The chunk.
    /// @return Whether `anchorChunk` was called for it.
    function isChunkAnchored(address account, bytes32 sessionId, uint32 index) external view returns (bool) {
        return _anchored[account][sessionId].get(index);
    }

    /// @notice How many chunks a session was registered with; zero where the account has no such session.
    /// @param account The account that registered it.
    /// @param sessionId Its id.
    /// @return Chunks in the session.
    function chunkCountOf(address account, bytes32 sessionId) public view returns (uint32) {
        return _sessions[account][sessionId].chunkCount;
    }
}
