// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// What clients do with a contract: constructor argument, state, event, value, a reason and a custom error.
contract Counter {
    uint256 public constant MOST = 1000;

    uint256 public value;

    event Stepped(address indexed by, uint256 indexed step, uint256 value);

    error TooFar(uint256 wanted, uint256 most);

    constructor(uint256 start) {
        value = start;
    }

    function step(uint256 by) external payable returns (uint256) {
        require(by != 0, "a step of zero");
        uint256 wanted = value + by;
        if (wanted > MOST) revert TooFar(wanted, MOST);
        value = wanted;
        emit Stepped(msg.sender, by, wanted);
        return wanted;
    }
}
