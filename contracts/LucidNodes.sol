// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ZeroValue} from "./LucidShared.sol";

/// @notice The consensus key is not the 64 bytes of an uncompressed secp256k1 point without its leading 0x04.
/// @param length Bytes given.
error InvalidKeyLength(uint256 length);

/// @notice An endpoint is longer than `MAX_ENDPOINT_BYTES`.
/// @param length Bytes given.
/// @param maximum The most bytes.
error EndpointTooLong(uint256 length, uint256 maximum);

/// @notice The consensus key belongs to the account of the node or of its operator.
/// @param account That account.
error ConsensusKeyIsAccountKey(address account);

/// @notice The consensus key has been registered before, and a key is used once ever.
/// @param signer Address of the key.
/// @param node The node that registered it.
error ConsensusKeyUsed(address signer, address node);

/// @notice The signature is not the consensus key's over the registration.
/// @param signer Address of the key.
/// @param digest What it has to sign.
error InvalidProofOfPossession(address signer, bytes32 digest);

/// @notice The call does not fit where the node stands.
/// @param node The node.
/// @param standing Where it stands.
error WrongStanding(address node, LucidNodes.Standing standing);

/// @notice The caller is not a member.
/// @param account The caller.
error NotAMember(address account);

/// @notice The vote is for another ballot on this node than the present one.
/// @param node The node voted on.
/// @param ballot The ballot of the vote.
/// @param current The present ballot.
error BallotClosed(address node, uint32 ballot, uint32 current);

/// @notice The member has voted in this ballot, and its vote decides nothing new.
/// @param node The node voted on.
/// @param ballot The ballot.
/// @param voter The member.
error AlreadyVoted(address node, uint32 ballot, address voter);

/// @notice An admission would make more members than a chain can have.
/// @param maximum The most members.
error TooManyMembers(uint256 maximum);

/// @notice A member goes, and fewer would be left than the chain needs.
/// @param members Members now.
/// @param needed Members that the chain needs.
error TooFewMembers(uint256 members, uint32 needed);

/// @notice An account is a node or a pool, never both.
/// @param account The account.
error AccountIsPool(address account);

/// @notice An account is a node or a pool, never both.
/// @param account The account.
error AccountIsNode(address account);

/// @notice The node is in a pool; it leaves that one before it asks another.
/// @param node The node.
/// @param pool Its pool.
error AlreadyInPool(address node, address pool);

/// @notice The node has neither a pool nor asked for one.
/// @param node The node.
error NotInPool(address node);

/// @notice The node has not asked to join the calling pool.
/// @param node The node.
/// @param requested The pool it has asked, zero for none.
error PoolNotRequested(address node, address requested);

/// @notice A batch of task proofs is empty or not a whole number of records.
/// @param length Bytes given.
/// @param recordLength Bytes of a record.
error InvalidProofBatch(uint256 length, uint256 recordLength);

/// @title The nodes of a chain
/// @notice Who votes on blocks (the members), who asks to, which pool a node works for, and the proofs of work done.
/// @dev In genesis at 0x4c55434944000000000000000000000000000003, with storage that holds the hash of the chain
/// spec, the number of members needed and the genesis validators; there is no constructor, so the layout of the
/// variables is part of the chain. The account that calls is the node. Nobody has a right of his own here: members
/// come and go by the votes of members. Whoever reads the validator set reads storage, so a member's key, operator
/// and pool are there; all else is in events.
contract LucidNodes {
    /// @notice Where a node stands.
    enum Standing {
        // Has never registered.
        Unknown,
        // Registered, and not admitted.
        Candidate,
        // Admitted: votes here, and from the next epoch on blocks.
        Member,
        // Left, or was removed. It keeps its number and may register again, with another key.
        Former
    }

    /// @dev What storage keeps of a node. `place` is its index in the member list plus one, zero for none.
    /// `votes` counts the votes cast in the node's present ballot.
    struct Node {
        address operator;
        uint32 number;
        uint32 ballot;
        uint16 votes;
        uint8 place;
        Standing standing;
        bytes32 keyX;
        address pool;
        uint8 keyPrefix;
        address requestedPool;
    }

    /// @notice A node as the views show it.
    /// @param node Its account.
    /// @param standing Where it stands.
    /// @param number Its registration number, for ever: 0 is the server.
    /// @param operator The account of the person who runs it; zero for a former node.
    /// @param consensusKey Its compressed consensus key, 33 bytes; empty for a former node.
    /// @param pool The pool that accepted it, zero for none.
    /// @param requestedPool The pool it has asked to join, zero for none.
    /// @param ballot The present ballot on it: of admission for a candidate, of removal for a member.
    /// @param votes Votes cast in that ballot.
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

    /// @notice The most members of any chain.
    uint256 public constant MAX_MEMBERS = 100;

    /// @notice The longest endpoint.
    uint256 public constant MAX_ENDPOINT_BYTES = 256;

    /// @notice What a registration's signature begins with, so that it is good for nothing else.
    bytes16 public constant REGISTRATION_DOMAIN = "lucid/node/reg/1";

    /// @notice Bytes of a packed task proof: type (1), slot (8), two values (8 each), time stamp (8), signature (64).
    /// @dev All integers big-endian. Types: 1 relay_bandwidth (bytes transferred, sessions relayed),
    /// 2 storage_availability (chunks stored, bytes), 4 uptime_beacon (seconds, zero); 3, validation_signature, is
    /// counted from certificates and never submitted. The signature is EIP-2098's compact form, r and then s with
    /// the recovery bit on top, so the signer, and with it the node, follows from the record.
    uint256 public constant TASK_PROOF_BYTES = 97;

    /// @notice A node registered, and may be admitted.
    /// @param node Its account.
    /// @param operator The account of the person who runs it.
    /// @param number Its registration number.
    /// @param ballot The ballot on its admission.
    /// @param consensusKey Its consensus key, 64 bytes uncompressed.
    /// @param endpoint Where it is reached.
    event NodeRegistered(
        address indexed node,
        address indexed operator,
        uint32 indexed number,
        uint32 ballot,
        bytes consensusKey,
        string endpoint
    );

    /// @notice A member voted to admit a candidate.
    /// @param node The candidate.
    /// @param voter The member.
    /// @param ballot The ballot.
    /// @param votes Votes cast in it, this one included.
    /// @param members Members at that moment.
    event AdmissionVoted(
        address indexed node, address indexed voter, uint32 indexed ballot, uint16 votes, uint256 members
    );

    /// @notice A member voted to remove a member.
    /// @param node The member voted on.
    /// @param voter The member who voted.
    /// @param ballot The ballot.
    /// @param votes Votes cast in it, this one included.
    /// @param members Members at that moment.
    event RemovalVoted(
        address indexed node, address indexed voter, uint32 indexed ballot, uint16 votes, uint256 members
    );

    /// @notice A candidate became a member.
    /// @param node The node.
    /// @param members Members from now on.
    event NodeAdmitted(address indexed node, uint256 members);

    /// @notice A member was removed by the members' votes.
    /// @param node The node.
    /// @param members Members from now on.
    event NodeRemoved(address indexed node, uint256 members);

    /// @notice A candidate withdrew or a member left.
    /// @param node The node.
    /// @param wasMember Whether it was a member.
    event NodeLeft(address indexed node, bool wasMember);

    /// @notice A node asked to join a pool.
    /// @param node The node.
    /// @param pool The pool.
    event PoolRequested(address indexed node, address indexed pool);

    /// @notice A pool accepted a node that had asked.
    /// @param node The node.
    /// @param pool The pool.
    event PoolJoined(address indexed node, address indexed pool);

    /// @notice A node left its pool, or took back what it had asked.
    /// @param node The node.
    /// @param pool The pool.
    /// @param wasMember Whether the pool had accepted it.
    event PoolLeft(address indexed node, address indexed pool, bool wasMember);

    /// @notice A batch of task proofs was submitted. Only its shape has been checked.
    /// @param submitter Who sent it, which says nothing about who signed.
    /// @param proofs Records of `TASK_PROOF_BYTES` bytes.
    event TaskProofsSubmitted(address indexed submitter, bytes proofs);

    /// @notice BLAKE3 hash of the canonical chain spec.
    bytes32 public chainSpecHash;

    /// @notice Members that the chain needs: none goes where fewer would be left.
    uint32 public validatorsNeeded;

    /// @notice Registration numbers given out so far, and so the next one.
    uint32 public registrations;

    address[] private _members;
    mapping(address node => Node) private _nodes;
    mapping(address signer => address node) private _nodeOfConsensusKey;
    mapping(address node => mapping(uint32 ballot => mapping(address voter => bool))) private _voted;
    mapping(address account => bool) private _isPool;

    /// @notice Registers the calling account as a node, which members may then admit.
    /// @param operator The account of the person who runs it.
    /// @param consensusKey The key it votes and signs with: 64 bytes, x and then y; used once ever, by no account.
    /// @param endpoint Where it is reached, 1 to `MAX_ENDPOINT_BYTES` bytes.
    /// @param signature The key's over `registrationDigest(caller, operator)`: r, s (low) and v (27 or 28), 65 bytes.
    function register(
        address operator,
        bytes calldata consensusKey,
        string calldata endpoint,
        bytes calldata signature
    ) external {
        Node storage node_ = _nodes[msg.sender];
        Standing standing = node_.standing;
        if (standing == Standing.Candidate || standing == Standing.Member) revert WrongStanding(msg.sender, standing);
        if (_isPool[msg.sender]) revert AccountIsPool(msg.sender);
        if (operator == address(0)) revert ZeroValue("operator");
        if (bytes(endpoint).length == 0) revert ZeroValue("endpoint");
        if (bytes(endpoint).length > MAX_ENDPOINT_BYTES) {
            revert EndpointTooLong(bytes(endpoint).length, MAX_ENDPOINT_BYTES);
        }
        if (consensusKey.length != 64) revert InvalidKeyLength(consensusKey.length);

        address signer = address(uint160(uint256(keccak256(consensusKey))));
        if (signer == msg.sender || signer == operator) revert ConsensusKeyIsAccountKey(signer);
        address user = _nodeOfConsensusKey[signer];
        if (user != address(0)) revert ConsensusKeyUsed(signer, user);
        // A signature that recovers to the key's address also shows that the 64 bytes are a point of the curve.
        bytes32 digest = registrationDigest(msg.sender, operator);
        if (_recover(digest, signature) != signer) revert InvalidProofOfPossession(signer, digest);

        if (standing == Standing.Unknown) node_.number = registrations++;
        node_.operator = operator;
        node_.keyX = bytes32(consensusKey[:32]);
        node_.keyPrefix = 2 + (uint8(consensusKey[63]) & 1);
        _nodeOfConsensusKey[signer] = msg.sender;
        _move(node_, Standing.Candidate);
        emit NodeRegistered(msg.sender, operator, node_.number, node_.ballot, consensusKey, endpoint);
    }

    /// @notice Votes to admit a candidate. A vote is counted when it is cast, among the members of that moment;
    /// more than 2/3 of them decide.
    /// @dev A member that has voted may call again where members have gone since and the votes suffice now.
    /// @param node The candidate.
    /// @param ballot The ballot that the voter has seen: a candidate that registered anew has a new one.
    function voteToAdmit(address node, uint32 ballot) external {
        (bool decided, uint16 votes) = _vote(node, ballot, Standing.Candidate);
        uint256 members_ = _members.length;
        emit AdmissionVoted(node, msg.sender, ballot, votes, members_);
        if (!decided) return;
        if (members_ == MAX_MEMBERS) revert TooManyMembers(MAX_MEMBERS);
        _members.push(node);
        _nodes[node].place = uint8(members_ + 1);
        _move(_nodes[node], Standing.Member);
        emit NodeAdmitted(node, members_ + 1);
    }

    /// @notice Votes to remove a member, counted as in `voteToAdmit`. The member itself has a vote too.
    /// @param node The member to remove.
    /// @param ballot The ballot that the voter has seen.
    function voteToRemove(address node, uint32 ballot) external {
        (bool decided, uint16 votes) = _vote(node, ballot, Standing.Member);
        emit RemovalVoted(node, msg.sender, ballot, votes, _members.length);
        if (!decided) return;
        _dismiss(node);
        emit NodeRemoved(node, _members.length);
    }

    /// @notice Takes the calling node out: a candidate withdraws, a member leaves. Its pool loses it too.
    function leaveRegistry() external {
        Standing standing = _nodes[msg.sender].standing;
        if (standing != Standing.Candidate && standing != Standing.Member) revert WrongStanding(msg.sender, standing);
        _dismiss(msg.sender);
        emit NodeLeft(msg.sender, standing == Standing.Member);
    }

    /// @notice Asks a pool to take the calling node in, in place of any pool asked before.
    /// @param pool The pool's account, which is no node.
    function joinPool(address pool) external {
        Node storage node_ = _nodes[msg.sender];
        Standing standing = node_.standing;
        if (standing != Standing.Candidate && standing != Standing.Member) revert WrongStanding(msg.sender, standing);
        if (pool == address(0)) revert ZeroValue("pool");
        if (_nodes[pool].standing != Standing.Unknown) revert AccountIsNode(pool);
        if (node_.pool != address(0)) revert AlreadyInPool(msg.sender, node_.pool);
        node_.requestedPool = pool;
        emit PoolRequested(msg.sender, pool);
    }

    /// @notice Takes a node that has asked into the calling pool.
    /// @param node The node.
    function acceptIntoPool(address node) external {
        // Credits are summed under the account of a node or of a pool, so no account may be both.
        if (_nodes[msg.sender].standing != Standing.Unknown) revert AccountIsNode(msg.sender);
        Node storage node_ = _nodes[node];
        if (node_.requestedPool != msg.sender) revert PoolNotRequested(node, node_.requestedPool);
        _isPool[msg.sender] = true;
        node_.requestedPool = address(0);
        node_.pool = msg.sender;
        emit PoolJoined(node, msg.sender);
    }

    /// @notice Takes the calling node out of its pool, or takes back what it has asked.
    function leavePool() external {
        Node storage node_ = _nodes[msg.sender];
        (address pool, address requested) = (node_.pool, node_.requestedPool);
        if (pool == address(0) && requested == address(0)) revert NotInPool(msg.sender);
        (node_.pool, node_.requestedPool) = (address(0), address(0));
        // A node in a pool has asked no other.
        emit PoolLeft(msg.sender, pool == address(0) ? requested : pool, pool != address(0));
    }

    /// @notice Submits signed task proofs, of any nodes. A proof that breaks a rule counts nothing and stops nothing.
    /// @param proofs One or more records of `TASK_PROOF_BYTES` bytes.
    function submitTaskProofs(bytes calldata proofs) external {
        if (proofs.length == 0 || proofs.length % TASK_PROOF_BYTES != 0) {
            revert InvalidProofBatch(proofs.length, TASK_PROOF_BYTES);
        }
        emit TaskProofsSubmitted(msg.sender, proofs);
    }

    /// @notice A node; `standing` is `Unknown` and all else zero where the account never registered.
    /// @param account The node's account.
    /// @return What storage has of it.
    function nodeInfo(address account) public view returns (NodeInfo memory) {
        Node storage node_ = _nodes[account];
        return NodeInfo({
            node: account,
            standing: node_.standing,
            number: node_.number,
            operator: node_.operator,
            consensusKey: node_.keyPrefix == 0 ? bytes("") : abi.encodePacked(node_.keyPrefix, node_.keyX),
            pool: node_.pool,
            requestedPool: node_.requestedPool,
            ballot: node_.ballot,
            votes: node_.votes
        });
    }

    /// @notice All members, in no order that means anything.
    /// @return infos At most `MAX_MEMBERS` nodes.
    function members() external view returns (NodeInfo[] memory infos) {
        infos = new NodeInfo[](_members.length);
        for (uint256 i; i < infos.length; ++i) infos[i] = nodeInfo(_members[i]);
    }

    /// @notice How many members there are.
    /// @return The number.
    function memberCount() external view returns (uint256) {
        return _members.length;
    }

    /// @notice The node that registered a consensus key, now or once; zero where none did.
    /// @param signer Address of the key.
    /// @return The node.
    function nodeOfConsensusKey(address signer) external view returns (address) {
        return _nodeOfConsensusKey[signer];
    }

    /// @notice Whether a vote has been cast.
    /// @param node The node voted on.
    /// @param ballot The ballot.
    /// @param voter The member.
    /// @return Whether it was.
    function hasVoted(address node, uint32 ballot, address voter) external view returns (bool) {
        return _voted[node][ballot][voter];
    }

    /// @notice Whether an account has accepted a node as a pool, now or once.
    /// @param account The account.
    /// @return Whether it has.
    function isPool(address account) external view returns (bool) {
        return _isPool[account];
    }

    /// @notice What a consensus key signs to be registered: nothing that is good on another chain or for another node.
    /// @param account The node's account.
    /// @param operator The account of the person who runs it.
    /// @return Keccak-256 of domain, chain-spec hash, node and operator.
    function registrationDigest(address account, address operator) public view returns (bytes32) {
        return keccak256(abi.encodePacked(REGISTRATION_DOMAIN, chainSpecHash, account, operator));
    }

    /// @dev Counts the sender's vote in the present ballot on a node that stands at `standing`.
    function _vote(address account, uint32 ballot, Standing standing) private returns (bool decided, uint16 votes) {
        if (_nodes[msg.sender].standing != Standing.Member) revert NotAMember(msg.sender);
        Node storage node_ = _nodes[account];
        if (node_.standing != standing) revert WrongStanding(account, node_.standing);
        if (node_.ballot != ballot) revert BallotClosed(account, ballot, node_.ballot);
        bool repeated = _voted[account][ballot][msg.sender];
        votes = node_.votes;
        if (!repeated) {
            _voted[account][ballot][msg.sender] = true;
            node_.votes = ++votes;
        }
        decided = uint256(votes) * 3 > _members.length * 2;
        if (repeated && !decided) revert AlreadyVoted(account, ballot, msg.sender);
    }

    /// @dev Makes a candidate or a member a former node. Reverts where too few members would be left.
    function _dismiss(address account) private {
        Node storage node_ = _nodes[account];
        if (node_.standing == Standing.Member) {
            uint256 count = _members.length;
            if (count <= validatorsNeeded) revert TooFewMembers(count, validatorsNeeded);
            address last = _members[count - 1];
            _members[node_.place - 1] = last;
            _nodes[last].place = node_.place;
            _members.pop();
        }
        (node_.place, node_.keyPrefix, node_.keyX, node_.operator) = (0, 0, 0, address(0));
        (node_.pool, node_.requestedPool) = (address(0), address(0));
        _move(node_, Standing.Former);
    }

    /// @dev Gives a node another standing, and with it a new ballot: votes on what it was say nothing of what it is.
    function _move(Node storage node_, Standing standing) private {
        node_.standing = standing;
        node_.votes = 0;
        ++node_.ballot;
    }

    /// @dev The address whose key made a 65-byte signature, zero where it is none or has a high s.
    function _recover(bytes32 digest, bytes calldata signature) private pure returns (address) {
        if (signature.length != 65) return address(0);
        uint256 s = uint256(bytes32(signature[32:64]));
        // Half the order of secp256k1: above it lies the twin of a signature.
        if (s > 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0) return address(0);
        return ecrecover(digest, uint8(signature[64]), bytes32(signature[:32]), bytes32(s));
    }
}
