"""The webhook service: it admits deliveries and starts their runs. It keeps no state that it could lose."""
