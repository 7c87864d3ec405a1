// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// What more than one of the genesis contracts says: errors with one meaning everywhere, and the write-once bitmap.

/// @notice A value that must name or count something is zero or empty.
/// @param field Name of the parameter.
error ZeroValue(string field);

/// @notice The calling account has registered no session with this id.
/// @param account The account that looked for its session.
/// @param sessionId The id it gave.
error UnknownSession(address account, bytes32 sessionId);

/// @notice A chunk's index is not below the number of chunks that its session was registered with.
/// @param sessionId The session.
/// @param index The first index that does not fit.
/// @param chunkCount Chunks in the session.
error ChunkIndexOutOfRange(bytes32 sessionId, uint256 index, uint32 chunkCount);

/// @notice A chunk has been written already, and it is written once.
/// @param sessionId The session.
/// @param index The chunk.
error ChunkAlreadyWritten(bytes32 sessionId, uint32 index);

/// @title Bits that are set once and never cleared, 256 to a storage slot
/// @notice One slot for 256 chunks is what makes a chunk in a batch cheap: only the first pays for the slot.
library WriteOnceBitmap {
    /// @dev A struct of its own, so that its slot is worked out once for reading and writing.
    /// @param bits 256 bits.
    struct Word {
        uint256 bits;
    }

    /// @param words Word n holds the bits 256 n to 256 n + 255.
    struct Bits {
        mapping(uint256 index => Word) words;
    }

    /// @notice Sets one bit.
    /// @param bits The bitmap.
    /// @param index The bit.
    /// @return fresh Whether it was clear before.
    function set(Bits storage bits, uint256 index) internal returns (bool fresh) {
        Word storage word = bits.words[index >> 8];
        uint256 before = word.bits;
        uint256 bit = 1 << (index & 255);
        fresh = before & bit == 0;
        if (fresh) word.bits = before | bit;
    }

    /// @notice Sets the bits `first` to `end - 1`, a word at a time.
    /// @param bits The bitmap.
    /// @param first The first bit.
    /// @param end One past the last bit.
    /// @return taken The lowest bit of the range that was set before, or `end` where none was.
    function setRange(Bits storage bits, uint256 first, uint256 end) internal returns (uint256 taken) {
        while (first < end) {
            uint256 offset = first & 255;
            uint256 length = end - first;
            if (length > 256 - offset) length = 256 - offset;
            // Shifting by 256 gives zero, so a whole word is all ones here as well.
            uint256 mask = (type(uint256).max >> (256 - length)) << offset;
            Word storage word = bits.words[first >> 8];
            uint256 before = word.bits;
            if (before & mask != 0) return _lowest(before & mask) | (first & ~uint256(255));
            word.bits = before | mask;
            first += length;
        }
        return end;
    }

    /// @notice Reads one bit.
    /// @param bits The bitmap.
    /// @param index The bit.
    /// @return Whether it is set.
    function get(Bits storage bits, uint256 index) internal view returns (bool) {
        return (bits.words[index >> 8].bits >> (index & 255)) & 1 == 1;
    }

    /// @dev The place of the lowest bit of `word`, which is not zero. Only a call that reverts comes here.
    function _lowest(uint256 word) private pure returns (uint256 place) {
        while ((word >> place) & 1 == 0) ++place;
    }
}
