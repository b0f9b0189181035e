"""What a lesson and the recorded runs measure alike: the networks, and the measurements themselves."""
