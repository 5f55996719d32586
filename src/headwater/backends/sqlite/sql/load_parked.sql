-- All parked sequences, in the order in which they were parked.
SELECT projection, version, sequence, position, event, error, attempts, parked_us FROM parked ORDER BY parked_us, projection, sequence
