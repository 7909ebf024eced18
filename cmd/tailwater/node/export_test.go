package node

// GiveBack is giveBack.
var GiveBack = giveBack
