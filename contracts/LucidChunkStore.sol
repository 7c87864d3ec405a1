// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {LucidAnchors} from "./LucidAnchors.sol";
import {ChunkAlreadyWritten, ChunkIndexOutOfRange, UnknownSession, WriteOnceBitmap, ZeroValue} from "./LucidShared.sol";

/// @notice A chunk is empty or larger than `MAX_SIZE_BYTES`.
/// @param index The chunk.
/// @param sizeBytes The size given.
/// @param maximum The largest size.
error ChunkSizeOutOfRange(uint32 index, uint256 sizeBytes, uint64 maximum);

/// @notice A batch names no chunk.
error EmptyBatch();

/// @notice A run has not one size for each hash.
/// @param hashes Hashes given.
/// @param sizes Sizes given.
error LengthMismatch(uint256 hashes, uint256 sizes);

/// @notice The status of a chunk is set that has no metadata.
/// @param sessionId The session.
/// @param index The chunk.
error ChunkNotStored(bytes32 sessionId, uint32 index);

/// @title Metadata of encrypted chunks
/// @notice Records, for each encrypted chunk of an anchored session, its SHA-256, its size and what became of it.
/// @dev In genesis at 0x4c55434944000000000000000000000000000002. Only the account that registered the session in
/// LucidAnchors writes here; sessions are looked up under the sender, so another account's call finds none. The
/// metadata and the status live in events, and storage holds one bit per chunk.
contract LucidChunkStore {
    using WriteOnceBitmap for WriteOnceBitmap.Bits;

    /// @notice What became of a chunk. Storing its metadata makes it `Stored`.
    enum ChunkStatus {
        Pending,
        Stored,
        Verified,
        Replicated,
        Missing,
        Corrupted,
        Archived
    }

    /// @notice The metadata of one chunk.
    /// @param sessionId The session, registered by the calling account.
    /// @param index The chunk, below the session's chunk count.
    /// @param ciphertextSha256 SHA-256 of the encrypted chunk.
    /// @param sizeBytes Its size, 1 to `MAX_SIZE_BYTES`.
    struct ChunkMetadata {
        bytes32 sessionId;
        uint32 index;
        bytes32 ciphertextSha256;
        uint64 sizeBytes;
    }

    /// @notice The registry of sessions.
    /// @dev A constant: an immutable would be zero in code that genesis holds.
    LucidAnchors public constant ANCHORS = LucidAnchors(0x4c55434944000000000000000000000000000001);

    /// @notice The largest chunk: 1 GiB.
    uint64 public constant MAX_SIZE_BYTES = 1 << 30;

    /// @notice A chunk's metadata was stored, and with it the chunk's status is `Stored`.
    /// @param sessionId The session.
    /// @param account The account that registered the session.
    /// @param index The chunk, from 0.
    /// @param ciphertextSha256 SHA-256 of the encrypted chunk.
    /// @param sizeBytes Its size.
    event ChunkStored(
        bytes32 indexed sessionId, address indexed account, uint32 index, bytes32 ciphertextSha256, uint64 sizeBytes
    );

    /// @notice A chunk's status changed.
    /// @param sessionId The session.
    /// @param account The account that registered the session.
    /// @param index The chunk, from 0.
    /// @param status What became of it.
    event ChunkStatusUpdated(
        bytes32 indexed sessionId, address indexed account, uint32 index, ChunkStatus status
    );

    mapping(address account => mapping(bytes32 sessionId => WriteOnceBitmap.Bits)) private _stored;

    /// @notice Stores the metadata of one chunk.
    /// @param chunk The metadata.
    function storeChunk(ChunkMetadata calldata chunk) external {
        _store(_stored[msg.sender][chunk.sessionId], chunk, _chunkCount(chunk.sessionId));
    }

    /// @notice Stores the metadata of chunks of one or more sessions, all or none.
    /// @param chunks The metadata; cheapest where the chunks of a session stand together.
    function storeChunks(ChunkMetadata[] calldata chunks) external {
        if (chunks.length == 0) revert EmptyBatch();
        bytes32 sessionId = chunks[0].sessionId;
        WriteOnceBitmap.Bits storage stored = _stored[msg.sender][sessionId];
        uint32 chunkCount = _chunkCount(sessionId);
        for (uint256 i; i < chunks.length; ++i) {
            ChunkMetadata calldata chunk = chunks[i];
            if (chunk.sessionId != sessionId) {
                sessionId = chunk.sessionId;
                stored = _stored[msg.sender][sessionId];
                chunkCount = _chunkCount(sessionId);
            }
            _store(stored, chunk, chunkCount);
        }
    }

    /// @notice Stores the metadata of consecutive chunks of one session, all or none: the cheapest way.
    /// @param sessionId The session.
    /// @param firstIndex The chunk that the first hash and size belong to.
    /// @param hashes SHA-256 of each encrypted chunk.
    /// @param sizes Size of each in bytes.
    function storeRun(bytes32 sessionId, uint32 firstIndex, bytes32[] calldata hashes, uint64[] calldata sizes)
        external
    {
        if (hashes.length == 0) revert EmptyBatch();
        if (hashes.length != sizes.length) revert LengthMismatch(hashes.length, sizes.length);
        uint32 chunkCount = _chunkCount(sessionId);
        uint256 end = uint256(firstIndex) + hashes.length;
        if (end > chunkCount) {
            uint256 outside = firstIndex < chunkCount ? chunkCount : firstIndex;
            revert ChunkIndexOutOfRange(sessionId, outside, chunkCount);
        }
        uint256 taken = _stored[msg.sender][sessionId].setRange(firstIndex, end);
        if (taken != end) revert ChunkAlreadyWritten(sessionId, uint32(taken));
        // Below 2^20 and so within 32 bits, as the chunk count is.
        uint32 index = firstIndex;
        for (uint256 i; i < hashes.length; ++i) {
            bytes32 ciphertextSha256;
            uint256 sizeBytes;
            // What hashes[i] and sizes[i] give, without asking again whether i is below the two equal lengths.
            assembly ("memory-safe") {
                ciphertextSha256 := calldataload(add(hashes.offset, shl(5, i)))
                sizeBytes := calldataload(add(sizes.offset, shl(5, i)))
            }
            _announce(sessionId, index, ciphertextSha256, sizeBytes);
            unchecked {
                ++index;
            }
        }
    }

    /// @notice Says what became of a chunk whose metadata is stored.
    /// @param sessionId The session, registered by the calling account.
    /// @param index The chunk.
    /// @param status Its status from now on.
    function updateChunkStatus(bytes32 sessionId, uint32 index, ChunkStatus status) external {
        if (!_stored[msg.sender][sessionId].get(index)) {
            uint32 chunkCount = _chunkCount(sessionId);
            if (index >= chunkCount) revert ChunkIndexOutOfRange(sessionId, index, chunkCount);
            revert ChunkNotStored(sessionId, index);
        }
        emit ChunkStatusUpdated(sessionId, msg.sender, index, status);
    }

    /// @notice Whether a chunk's metadata has been stored.
    /// @param account The account that registered the session.
    /// @param sessionId The session.
    /// @param index The chunk.
    /// @return Whether a `ChunkStored` event exists for it.
    function isChunkStored(address account, bytes32 sessionId, uint32 index) external view returns (bool) {
        return _stored[account][sessionId].get(index);
    }

    /// @dev How many chunks a session of the sender has.
    function _chunkCount(bytes32 sessionId) private view returns (uint32 chunkCount) {
        chunkCount = ANCHORS.chunkCountOf(msg.sender, sessionId);
        if (chunkCount == 0) revert UnknownSession(msg.sender, sessionId);
    }

    /// @dev Stores one chunk of a session of the sender that has the bitmap `stored` and `chunkCount` chunks.
    function _store(WriteOnceBitmap.Bits storage stored, ChunkMetadata calldata chunk, uint32 chunkCount) private {
        (bytes32 sessionId, uint32 index) = (chunk.sessionId, chunk.index);
        if (index >= chunkCount) revert ChunkIndexOutOfRange(sessionId, index, chunkCount);
        if (!stored.set(index)) revert ChunkAlreadyWritten(sessionId, index);
        _announce(sessionId, index, chunk.ciphertextSha256, chunk.sizeBytes);
    }

    /// @dev Checks what a chunk's event says, and emits it.
    function _announce(bytes32 sessionId, uint32 index, bytes32 ciphertextSha256, uint256 sizeBytes) private {
        if (ciphertextSha256 == 0) revert ZeroValue("ciphertextSha256");
        if (sizeBytes == 0 || sizeBytes > MAX_SIZE_BYTES) revert ChunkSizeOutOfRange(index, sizeBytes, MAX_SIZE_BYTES);
        emit ChunkStored(sessionId, msg.sender, index, ciphertextSha256, uint64(sizeBytes));
    }
}
