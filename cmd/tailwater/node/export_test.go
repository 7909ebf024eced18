package node

var GiveBack = giveBack
